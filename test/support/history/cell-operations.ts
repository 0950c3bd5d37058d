import { In } from 'typeorm';
import {
  GatewayContext,
  type GatewayTransaction,
  type ReadOptions,
  type ShardedRepository,
} from '../../../src/index.js';
import type { GatewayRuntime } from '../../../src/gateway/gateway-runtime.js';
import { decodeTokens, encodeToken } from '../../../src/sharding/replication/consistency-token.js';
import { Cell, cellNamed, nameOf, userOf } from './cell.js';
import {
  sharedNowMs,
  type CellField,
  type Operation,
  type OperationRecord,
  type ProcessName,
  type ReadOperation,
  type ReadRecord,
  type WriteOperation,
  type WriteRecord,
} from './records.js';

/** What a write that is rolled back adds: nobody may ever see as much. */
const UNDONE_STEP = 1_000_000;

const YOUNG_MS = 20;

const INCREMENT_SQL = `
  UPDATE history.cells SET value = value + 1, writer = $2 WHERE id = $1 RETURNING value`;
const OVERSHOOT_SQL = `
  UPDATE history.cells SET value = value + ${UNDONE_STEP}, writer = $2 WHERE id = $1`;
const SELECT_SQL = `SELECT name, value, writer FROM history.cells WHERE id = $1`;

/** Makes a transaction roll back. */
class UndoneError extends Error {}

/** Runs operations through the gateway of one process, and writes down how they went. */
export class CellOperations {
  readonly #runtime: Pick<GatewayRuntime, 'gateway' | 'cache'>;
  readonly #process: ProcessName;
  readonly #tenantId: string;
  readonly #ids: readonly string[];
  #writes = 0;

  /** @param ids of the tenant's rows, by the index of the cell */
  constructor(
    runtime: Pick<GatewayRuntime, 'gateway' | 'cache'>,
    process: ProcessName,
    { tenantId, ids }: CellField,
  ) {
    this.#runtime = runtime;
    this.#process = process;
    this.#tenantId = tenantId;
    this.#ids = ids;
  }

  /** Never rejects: a failure is part of the record. */
  perform(client: string, operation: Operation): Promise<OperationRecord> {
    const [cell = 0] = operation.cells;
    const scope = {
      tenantId: this.#tenantId,
      actor: client,
      ...(operation.isAsUser && { userId: userOf(cell) }),
    };
    return GatewayContext.run(scope, () =>
      operation.kind === 'read' ? this.#read(client, operation) : this.#write(client, operation),
    );
  }

  async #read(client: string, operation: ReadOperation): Promise<ReadRecord> {
    const trace = GatewayContext.trace();
    if (operation.token !== undefined) {
      trace?.requirePositions(decodeTokens(operation.token), (position) =>
        this.#runtime.cache.knows(position),
      );
    }
    let rows: readonly Pick<Cell, 'name' | 'value' | 'writer'>[] = [];
    let failure: string | undefined;
    const begin = sharedNowMs();
    try {
      rows = await this.#rowsOf(operation);
    } catch (error) {
      failure = String(error);
    }
    const end = sharedNowMs();
    const seen = rows.map(({ name, value, writer }) => ({ cell: cellNamed(name), value, writer }));
    const source = trace?.source ?? 'joined';
    return { ...operation, client, process: this.#process, begin, end, failure, source, seen };
  }

  async #rowsOf({ how, cells, past, isAsUser }: ReadOperation) {
    const options = READ_OPTIONS[past];
    const [cell = 0] = cells;
    const id = this.#idOf(cell);
    const userId = userOf(cell);
    const all = this.#runtime.gateway.repository(Cell);
    const own = isAsUser ? all : all.forUser(userId);
    const limit = 100;
    switch (how) {
      case 'by id':
        return listOf(await all.findById(id, options));
      case 'find one':
        return listOf(await own.findOneBy({ id }, options));
      case 'find by name':
        return listOf(await own.findOneBy({ name: nameOf(cell) }, options));
      case 'find in':
        return own.findBy({ id: In(cells.map((each) => this.#idOf(each))) }, options);
      case 'find':
        return own.find({ order: { name: 'DESC' }, ...options });
      case 'page of user':
        return (
          await this.#runtime.gateway
            .list(Cell, { userId })
            .page({ limit, order: { name: 'ASC' }, ...options })
        ).items;
      case 'page of all':
        return (await this.#runtime.gateway.list(Cell).page({ limit, ...options })).items;
      case 'raw':
        return this.#runtime.gateway.query<Cell & Record<string, unknown>>(
          SELECT_SQL,
          [id],
          { userId },
          options,
        );
    }
  }

  async #write(client: string, operation: WriteOperation): Promise<WriteRecord> {
    this.#writes += 1;
    const id = `${this.#process}-${this.#writes}`;
    let values: readonly (number | undefined)[] = [];
    let failure: string | undefined;
    let isKept = true;
    const begin = sharedNowMs();
    try {
      values = await this.#wrote(operation, id);
    } catch (error) {
      isKept = false;
      if (!(error instanceof UndoneError)) failure = String(error);
    }
    const end = sharedNowMs();
    const written = GatewayContext.trace()?.written ?? [];
    const writtenToken = written.length > 0 ? encodeToken(written) : undefined;
    return {
      ...operation,
      ...{ id, client, process: this.#process, begin, end, failure, isKept, values, writtenToken },
    };
  }

  /** @returns what it wrote to each of its cells, as far as it knows */
  async #wrote({ how, cells, value, isAsUser }: WriteOperation, writer: string) {
    const [cell = 0] = cells;
    const id = this.#idOf(cell);
    const userId = userOf(cell);
    const all = this.#runtime.gateway.repository(Cell);
    const own = isAsUser ? all : all.forUser(userId);
    switch (how) {
      case 'update':
        await own.update({ id }, { value: known(value), writer });
        return [value];
      case 'update by name':
        await own.update({ name: nameOf(cell) }, { value: known(value), writer });
        return [value];
      case 'save':
        await own.save({ id, name: nameOf(cell), value: known(value), writer });
        return [value];
      case 'increment':
        await own.increment({ id }, 'value', 1);
        return [value];
      case 'raw': {
        const rows = await this.#runtime.gateway.query<{ value: number }>(INCREMENT_SQL, [id, writer], {
          userId,
        });
        return rows.map((row) => row.value);
      }
      case 'lock':
        return this.#runtime.gateway.transaction({ userId }, (tx) => this.#addUnderLock(tx, cells, writer));
      case 'shared lock':
        return this.#runtime.gateway.transaction({ userId, login: 'shared' }, (tx) =>
          this.#addUnderLock(tx, cells, writer),
        );
      case 'savepoint':
        return this.#runtime.gateway.transaction({ userId }, async (tx) => {
          const repository = tx.getRepository(Cell);
          const undone = tx.manager.transaction(async (nested) => {
            await nested.increment(Cell, { tenantId: this.#tenantId, id }, 'value', UNDONE_STEP);
            throw new UndoneError();
          });
          await undone.catch(ignoreUndone);
          return this.#addUnderLock({ lock: tx.lock.bind(tx), repository }, cells, writer);
        });
      case 'rolled back':
        return this.#runtime.gateway.transaction({ userId }, async (tx) => {
          await tx.getRepository(Cell).increment({ id }, 'value', UNDONE_STEP);
          throw new UndoneError();
        });
      case 'rolled back raw':
        return this.#runtime.gateway.transaction({ userId }, async (tx) => {
          await tx.query(OVERSHOOT_SQL, [id, writer]);
          throw new UndoneError();
        });
    }
  }

  /** One more to each, read under lock. */
  async #addUnderLock(
    tx: GatewayTransaction | { lock: GatewayTransaction['lock']; repository: ShardedRepository<Cell> },
    cells: readonly number[],
    writer: string,
  ): Promise<number[]> {
    const rows = await tx.lock(
      Cell,
      cells.map((cell) => this.#idOf(cell)),
    );
    const repository = 'repository' in tx ? tx.repository : tx.getRepository(Cell);
    const values = new Map(rows.map(({ id, value }) => [id, value + 1]));
    for (const [id, value] of values) await repository.update({ id }, { value, writer });
    return cells.map((cell) => known(values.get(this.#idOf(cell))));
  }

  #idOf(cell: number): string {
    return this.#ids[cell] ?? '';
  }
}

const READ_OPTIONS: Record<ReadOperation['past'], ReadOptions> = {
  nothing: {},
  young: { cache: { ttlMs: YOUNG_MS } },
  cache: { cache: false },
  replica: { from: 'primary' },
};

function listOf<T>(row: T | null): T[] {
  return row === null ? [] : [row];
}

function known(value: number | undefined): number {
  if (value === undefined) throw new TypeError('The write has to know its value.');
  return value;
}

function ignoreUndone(error: unknown): void {
  if (!(error instanceof UndoneError)) throw error;
}
