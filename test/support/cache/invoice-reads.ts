import type pg from 'pg';
import { MoreThan } from 'typeorm';
import { GatewayContext, type DataGateway, type ReadOptions } from '../../../src/index.js';
import { BucketHasher } from '../../../src/sharding/topology/bucket.js';
import { IdMint } from '../../../src/sharding/topology/id-mint.js';
import { SeededRandom } from '../hostile/seeded-random.js';
import { Invoice } from '../billing.js';

/** Rows of an answer, at most; most answers are small, as most reads are by id. */
const ROWS_MAX = 100;

/** Readers at once. */
const READERS = 128;

const INSERT_SQL = `
  INSERT INTO billing.invoices (tenant_id, id, user_id, bucket, number, total, reminders)
  SELECT $1, id, $2, $3, number || CASE WHEN place % 8 = 0 THEN ' – оплачено' ELSE '' END, place, 0
  FROM unnest($4::uuid[], $5::text[]) WITH ORDINALITY AS rows (id, number, place)`;
const RAW_SQL = `
  SELECT number, total, reminders FROM billing.invoices WHERE user_id = $1 AND number > $2 ORDER BY number LIMIT $3`;

/** Reads of one user's invoices, of which no two are the same. */
export class InvoiceReads {
  readonly #gateway: DataGateway;
  readonly #tenantId: string;
  readonly #userId: string;
  readonly #bucket: number;
  readonly #ids: readonly string[];
  readonly #mint = new IdMint();

  private constructor(
    gateway: DataGateway,
    { tenantId, userId, bucket }: { tenantId: string; userId: string; bucket: number },
    ids: readonly string[],
  ) {
    this.#gateway = gateway;
    this.#tenantId = tenantId;
    this.#userId = userId;
    this.#bucket = bucket;
    this.#ids = ids;
  }

  /**
   * Makes the rows, past the gateway.
   *
   * @param admin a login on the shard's primary, whichever the user's is
   */
  static async prepare(
    gateway: DataGateway,
    admin: pg.Client,
    { tenantId, rows }: { tenantId: string; rows: number },
  ): Promise<InvoiceReads> {
    const userId = 'reader';
    const bucket = (await BucketHasher.create()).bucketOf(tenantId, userId);
    const mint = new IdMint();
    const ids = Array.from({ length: rows }, () => mint.mint(bucket));
    await admin.query(INSERT_SQL, [tenantId, userId, bucket, ids, ids.map((_, index) => numberOf(index))]);
    return new InvoiceReads(gateway, { tenantId, userId, bucket }, ids);
  }

  /** Reads with these numbers; each number stands for a question of its own. */
  async run(first: number, count: number, options: ReadOptions = {}): Promise<void> {
    let next = first;
    const readers = Array.from({ length: READERS }, async () => {
      while (next < first + count) {
        next += 1;
        await this.read(next - 1, options);
      }
    });
    await Promise.all(readers);
  }

  /** One of them: by an id that is there or not, by a number, a list, or raw. */
  read(number: number, options: ReadOptions = {}): Promise<unknown> {
    const scope = { tenantId: this.#tenantId, userId: this.#userId, actor: 'test' };
    return GatewayContext.run(scope, () => this.#ask(number, options));
  }

  #ask(number: number, options: ReadOptions): Promise<unknown> {
    const invoices = this.#gateway.repository(Invoice);
    const random = new SeededRandom(number);
    const kind = random.next();
    const take = Math.ceil(ROWS_MAX ** (random.next() ** 3));
    const id = this.#ids[number];
    if (id !== undefined) return invoices.findById(id, options);
    // After another row each time, or after the same one by another name.
    const after = `${numberOf(number % this.#ids.length)} ${number}`;
    if (kind < 0.85) return invoices.findById(this.#mint.mint(this.#bucket), options);
    if (kind < 0.94) return invoices.findOneBy({ number: after }, options);
    if (kind < 0.99) {
      return invoices.find({
        where: { number: MoreThan(after) },
        order: { number: 'ASC' },
        take,
        ...options,
      });
    }
    return this.#gateway.query(
      RAW_SQL,
      [this.#userId, after, take],
      { userId: this.#userId },
      {
        tables: ['billing.invoices'],
        ...options,
      },
    );
  }
}

/** What the invoice at this place is called; sorted like the places. */
function numberOf(place: number): string {
  return `Invoice ${String(place).padStart(6, '0')}`;
}
