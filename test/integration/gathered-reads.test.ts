import { afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { PoolExhaustedError } from '../../src/index.js';
import { SILENT_LOG } from '../../src/common/log.js';
import { ConnectionPool } from '../../src/sharding/connections/connection-pool.js';
import { isConnectionFailure } from '../../src/sharding/connections/failure.js';
import { GatheredReads } from '../../src/sharding/connections/gathered-reads.js';
import type { PoolOptions } from '../../src/sharding/connections/pool-options.js';
import { PreparedStatement, type RawRow } from '../../src/sharding/connections/prepared-statement.js';
import { ownDatabases } from '../support/own-databases.js';

const POOL: PoolOptions = {
  size: 4,
  overflow: 0,
  tenantSize: 1,
  acquireTimeoutMs: 5_000,
  connectTimeoutMs: 2_000,
  recycleMs: 3_600_000,
  idleTimeoutMs: 10_000,
  statementTimeoutMs: 5_000,
  processes: 1,
};

/** What was asked, in whose name, and in which transaction: the server, the connection and the time it began. */
const WHOSE = `SELECT $1::text, current_setting('shardgate.tenant_id', true),
                      pg_backend_pid() || ' ' || transaction_timestamp()`;

/** Fails for 0. */
const RATIO = `SELECT n, 100 / $1::int FROM generate_series(1, 3) AS n`;

let url: string;
let pool: ConnectionPool;

beforeAll(async () => {
  const { shards } = await ownDatabases();
  url = shards[0]?.primary.url ?? '';
});

afterEach(() => pool.end());

/** @param groupMs so long that every statement counts as short, however busy the machine is, unless told */
function gathered(options: Partial<PoolOptions> = {}, groupMs = 60_000): GatheredReads {
  pool = new ConnectionPool('s0', url, { ...POOL, ...options }, SILENT_LOG);
  return new GatheredReads(() => pool, groupMs);
}

function statement(text: string): PreparedStatement<RawRow> {
  return new PreparedStatement<RawRow>(text, () => (fields) => fields);
}

/** A read for its rows alone. */
async function rowsOf(
  reads: GatheredReads,
  prepared: PreparedStatement<RawRow>,
  param: string,
  tenantId = 'acme',
): Promise<readonly RawRow[]> {
  const { rows, read } = await reads.read(tenantId, prepared, [param]);
  return rows.map((row) => read(row, []));
}

/** After that it is known how quick the statement is. */
async function makeKnown(reads: GatheredReads, prepared: PreparedStatement<RawRow>): Promise<void> {
  await rowsOf(reads, prepared, '1');
}

function numbers(count: number): readonly string[] {
  return Array.from({ length: count }, (_, index) => String(index + 1));
}

describe('reads of one turn', () => {
  it('of one statement share transactions, eight each, and each gets what it asked for', async () => {
    const reads = gathered();
    const whose = statement(WHOSE);
    await makeKnown(reads, whose);
    const asked = numbers(20);
    const answers = await Promise.all(asked.map((param) => rowsOf(reads, whose, param)));
    expect(answers.map(([row]) => row?.[0])).toEqual(asked);
    expect(answers.map(({ length }) => length)).toEqual(Array(20).fill(1));
    const transactions = answers.map(([row]) => row?.[2]);
    expect(new Set(transactions).size).toBe(3);
    expect(new Set(transactions.slice(0, 8)).size).toBe(1);
    expect(new Set(transactions.slice(8, 16)).size).toBe(1);
  });

  it('go alone while nothing is known of their statement, and when it is not short', async () => {
    const reads = gathered({}, 20);
    const transactionsOf = async (prepared: PreparedStatement<RawRow>): Promise<number> => {
      const answers = await Promise.all(numbers(4).map((param) => rowsOf(reads, prepared, param)));
      return new Set(answers.map(([row]) => row?.[2])).size;
    };
    expect(await transactionsOf(statement(WHOSE))).toBe(4);
    const slow = statement(WHOSE.replace('$1::text', `$1::text || pg_sleep(0.03)`));
    await makeKnown(reads, slow);
    expect(await transactionsOf(slow)).toBe(4);
  });

  it('of several tenants never share one, and leave no tenant behind', async () => {
    const reads = gathered();
    const whose = statement(WHOSE);
    await makeKnown(reads, whose);
    const tenants = numbers(24).map((number) => `tenant-${Number(number) % 3}`);
    const answers = await Promise.all(tenants.map((tenant) => rowsOf(reads, whose, 'x', tenant)));
    expect(answers.map(([row]) => row?.[1])).toEqual(tenants);
    const byTransaction = new Map(answers.map(([row]) => [row?.[2], row?.[1]]));
    expect(byTransaction.size).toBe(3);
    const left = await Promise.all(
      numbers(4).map(() => pool.query(`SELECT current_setting('shardgate.tenant_id', true) AS tenant`)),
    );
    expect(left.flat().map(({ tenant }) => tenant ?? '')).toEqual(['', '', '', '']);
  });

  it('fail each by itself', async () => {
    const reads = gathered();
    const ratio = statement(RATIO);
    await makeKnown(reads, ratio);
    const asked = ['4', '0', '5', 'x', '0', '10', '20'];
    const answers = await Promise.allSettled(asked.map((param) => rowsOf(reads, ratio, param)));
    const said = answers.map((answer) =>
      answer.status === 'fulfilled' ? answer.value.map((row) => row[1]) : sqlState(answer.reason),
    );
    const [zero, noNumber] = ['22012', '22P02'];
    expect(said).toEqual([
      ['25', '25', '25'],
      zero,
      ['20', '20', '20'],
      noNumber,
      zero,
      ['10', '10', '10'],
      ['5', '5', '5'],
    ]);
  });

  it('fail together from the one on under which their connection breaks', async () => {
    const reads = gathered();
    const whose = statement(
      WHOSE.replace(
        '$1::text',
        `CASE WHEN $1::text = 'die' THEN pg_terminate_backend(pg_backend_pid())::text ELSE $1::text END`,
      ),
    );
    await makeKnown(reads, whose);
    const asked = ['1', '2', 'die', '4'];
    const answers = await Promise.allSettled(asked.map((param) => rowsOf(reads, whose, param)));
    const said = answers.map((answer) =>
      answer.status === 'fulfilled' ? answer.value[0]?.[0] : isConnectionFailure(answer.reason),
    );
    expect(said).toEqual(['1', '2', true, true]);
    expect((await rowsOf(reads, whose, '5'))[0]?.[0]).toBe('5');
  });

  it('are all told when there is no connection for them', async () => {
    const reads = gathered({ size: 1, acquireTimeoutMs: 1_000 });
    const whose = statement(WHOSE);
    await makeKnown(reads, whose);
    const taken = await pool.acquire();
    const refused = await Promise.allSettled(numbers(3).map((param) => rowsOf(reads, whose, param)));
    pool.release(taken, false);
    expect(refused).toEqual(Array(3).fill({ status: 'rejected', reason: expect.any(PoolExhaustedError) }));
    expect((await rowsOf(reads, whose, '1'))[0]?.[0]).toBe('1');
  });
});

describe('any mixture of reads, right and wrong', () => {
  it('answers each with its own', async () => {
    const reads = gathered();
    const statements = [statement(WHOSE), statement(RATIO)];
    const asked = fc.record({
      which: fc.nat({ max: 1 }),
      tenantId: fc.constantFrom('acme', 'globex', 'initech'),
      param: fc.nat({ max: 9 }).map(String),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(asked, { maxLength: 40 }), async (turn) => {
        const answers = await Promise.allSettled(
          turn.map(({ which, param, tenantId }) =>
            rowsOf(reads, statements[which] ?? statement(WHOSE), param, tenantId),
          ),
        );
        const said = answers.map((answer) =>
          answer.status === 'fulfilled'
            ? answer.value.map((row) => row.slice(0, 2))
            : sqlState(answer.reason),
        );
        expect(said).toEqual(turn.map(expected));
      }),
      { numRuns: 150 },
    );
  });
});

function expected({ which, param, tenantId }: { which: number; param: string; tenantId: string }): unknown {
  if (which === 0) return [[param, tenantId]];
  if (param === '0') return '22012';
  const ratio = String(Math.floor(100 / Number(param)));
  return [1, 2, 3].map((n) => [String(n), ratio]);
}

function sqlState(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : error;
}
