import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { SERVICE_SCHEMA } from '../../src/service-schema.js';
import { SILENT_LOG } from '../../src/common/log.js';
import { resolveGatewayOptions } from '../../src/gateway/gateway-options.js';
import { GatewayRuntime } from '../../src/gateway/gateway-runtime.js';
import { GatewayContext } from '../../src/index.js';
import type { LockMode } from '../../src/modules/transfers/batches/batch-reads.js';
import type { TransferCommand } from '../../src/modules/transfers/decisions/transfer-command.js';
import { parseAmount } from '../../src/modules/money/amount.js';
import { sqlStateOf } from '../../src/sharding/connections/failure.js';
import type { ClusterConfig } from '../../src/sharding/cluster/cluster-config.js';
import { IdMint } from '../../src/sharding/topology/id-mint.js';
import { eventually } from '../support/eventually.js';
import { assertLedgerSound } from '../support/ledger-check.js';
import { ownDatabases, runAsAdmin } from '../support/own-databases.js';
import { TransferBatchRunner } from '../support/transfer-batch-runner.js';

const TENANT = 'acme';

let config: ClusterConfig;
let runtime: GatewayRuntime;
let batches: TransferBatchRunner;
let payer: string;
let payee: string;
let bucket: number;

beforeAll(async () => {
  config = await ownDatabases();
  await open();
  const ids = new IdMint();
  const users = Array.from({ length: 100 }, (_, index) => `user${index}`);
  const user = users.find((userId) => runtime.gateway.route({ tenantId: TENANT, userId }).shardId === 's0')!;
  ({ bucket } = runtime.gateway.route({ tenantId: TENANT, userId: user }));
  [payer, payee] = [ids.mint(bucket), ids.mint(bucket)];
  await GatewayContext.run({ tenantId: TENANT, userId: user, actor: 'test' }, () =>
    runtime.gateway.query(
      `INSERT INTO finance.accounts (tenant_id, id, user_id, bucket, account_number, currency, overdraft_limit)
       SELECT $1, id, $2, $3, 'N' || place, 'EUR', 1000 FROM unnest($4::uuid[]) WITH ORDINALITY AS a (id, place)`,
      [TENANT, user, bucket, [payer, payee]],
      { userId: user },
    ),
  );
}, 60_000);

afterAll(() => runtime.close());

async function open(): Promise<void> {
  const options = resolveGatewayOptions({ ...config, ...SERVICE_SCHEMA });
  runtime = await GatewayRuntime.start(options, { log: SILENT_LOG });
  batches = new TransferBatchRunner(runtime.access.writes, TENANT, () => 's0');
}

/** Closes the gateway, and waits until the server has noticed. */
async function close(): Promise<void> {
  await runtime.close();
  await eventually('its connections have ended', async () => {
    const own = await rowsOf(
      `SELECT FROM pg_stat_activity
       WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()`,
    );
    return own.length === 0;
  });
}

interface Wanted {
  readonly reference: string | null;
  readonly actor?: string;
  readonly key?: string;
  readonly holdSeconds?: number;
}

/** Runs transfers of one unit as one batch. */
async function run(transfers: readonly Wanted[]) {
  return runCommands(transfers.map(transferOf));
}

function transferOf({ reference, actor = 'test', key, holdSeconds }: Wanted): TransferCommand {
  return {
    kind: 'transfer',
    fromAccountId: payer,
    toAccountId: payee,
    amount: parseAmount('1')!,
    reference,
    holdSeconds,
    ...askedBy(actor, key),
  };
}

function askedBy(actor: string, key: string | undefined) {
  return {
    homeShardId: 's0',
    homeBucket: bucket,
    userId: undefined,
    actor,
    idempotency: key === undefined ? undefined : { key },
    subMinorUnits: false,
  };
}

function runCommands(commands: readonly TransferCommand[], mode?: LockMode) {
  return batches.run(['s0'], commands, mode);
}

async function rowsOf<Row>(sql: string): Promise<Row[]> {
  return (await runAsAdmin(config.shards[0]!.primary.adminUrl, sql)).rows as Row[];
}

describe('a batch that the database refuses', () => {
  it('is tried in halves: only the request at fault fails', async () => {
    // No client gets a NUL this far; it stands for anything that a statement may fail on.
    const references = ['a', 'b', 'c\u0000', 'd', 'e', 'f', 'g'];
    const { told, left } = await run(references.map((reference) => ({ reference })));
    expect(told).toEqual(['done', 'done', 'QueryFailedError', 'done', 'done', 'done', 'done']);
    expect(left).toBe(0);
    const kept = await rowsOf<{ reference: string }>(
      'SELECT reference FROM finance.transfers ORDER BY reference',
    );
    expect(kept.map(({ reference }) => reference)).toEqual(['a', 'b', 'd', 'e', 'f', 'g']);
  });
});

describe('a batch of several steps', () => {
  it('is whole: each transfer once, and entries that follow from each other', async () => {
    const references = Array.from({ length: 130 }, (_, place) => `step ${place}`);
    const { told } = await run(references.map((reference) => ({ reference, key: reference })));
    expect(told).toEqual(references.map(() => 'done'));
    const kept = await rowsOf(`SELECT FROM finance.transactions WHERE reference LIKE 'step %'`);
    expect(kept).toHaveLength(260);
    await expect(assertLedgerSound(config)).resolves.toBeUndefined();
  });

  it('loses nothing but the request at fault, whichever step that is in', async () => {
    for (const fault of [0, 60, 129]) {
      const references = Array.from({ length: 130 }, (_, place) =>
        place === fault ? '\u0000' : `fault ${fault} ${place}`,
      );
      const { told } = await run(references.map((reference) => ({ reference })));
      expect(told.filter((end) => end === 'done')).toHaveLength(129);
      expect(told[fault]).toBe('QueryFailedError');
      expect(
        await rowsOf(`SELECT FROM finance.transfers WHERE reference LIKE 'fault ${fault} %'`),
      ).toHaveLength(129);
    }
  });
});

describe('texts of a batch', () => {
  it('are kept as they were given, whatever they mean elsewhere', async () => {
    const texts = [
      '"',
      '\\',
      '\\"',
      '{',
      '}',
      '{}',
      ',',
      'NULL',
      'null',
      ' ',
      "'",
      '\n\t',
      '{"a":1}',
      'ü€😀',
      '$1',
    ];
    const asked = texts.map((text) => ({
      reference: text,
      key: `key ${text}`,
      actor: `user:${text.replaceAll(/[^ -~]/g, '?')}`,
    }));
    const first = await run(asked);
    expect(first.told).toEqual(texts.map(() => 'done'));
    const kept = await rowsOf<{ reference: string; key: string; actor: string; said: string }>(`
      SELECT transfer.reference, key, transfer.actor, response->'body'->>'reference' AS said
      FROM finance.transfers AS transfer
      JOIN shardgate.idempotency_keys AS kept ON (response->'body'->>'id')::uuid = transfer.id
      WHERE key LIKE 'key %' ORDER BY transfer.id`);
    const expected = asked.map(({ reference, key, actor }) => ({ reference, key, actor, said: reference }));
    expect(new Set(kept.map((row) => JSON.stringify(row)))).toEqual(
      new Set(expected.map((row) => JSON.stringify(row))),
    );
    const before = await rowsOf(`SELECT FROM finance.transfers`);
    expect((await run(asked)).told).toEqual(texts.map(() => 'done'));
    expect(await rowsOf(`SELECT FROM finance.transfers`)).toHaveLength(before.length);
    expect(await rowsOf(`SELECT FROM shardgate.idempotency_keys WHERE key LIKE 'key %'`)).toHaveLength(
      texts.length,
    );
  });

  it('may be none', async () => {
    const { told } = await run([{ reference: null }, { reference: '' }]);
    expect(told).toEqual(['done', 'done']);
    expect(await rowsOf(`SELECT FROM finance.transfers WHERE reference IS NULL`)).toHaveLength(1);
    expect(await rowsOf(`SELECT FROM finance.transfers WHERE reference = ''`)).toHaveLength(1);
  });
});

describe('a batch of several actors', () => {
  it('notes with each transfer and entry who asked for it', async () => {
    await run([
      { reference: 'x', actor: 'user:x' },
      { reference: 'y', actor: 'user:y' },
    ]);
    const entries = await rowsOf(
      `SELECT DISTINCT reference, actor FROM finance.transactions WHERE reference IN ('x', 'y') ORDER BY 1`,
    );
    expect(entries).toEqual([
      { reference: 'x', actor: 'user:x' },
      { reference: 'y', actor: 'user:y' },
    ]);
  });
});

describe('a batch whose account somebody holds', () => {
  it('is given back whole, with nothing done', async () => {
    const outcome = await holding(() => run([{ reference: 'held' }, { reference: 'held' }]));
    expect(outcome).toEqual({ told: [], ids: [], left: 2 });
    expect(await rowsOf(`SELECT FROM finance.transfers WHERE reference = 'held'`)).toEqual([]);
  });
});

describe('accounts of a batch', () => {
  it.each([
    { held: 'first', other: 'is free' },
    { held: 'last', other: 'is locked' },
  ])(
    'are locked in the order of their ids: while the $held is waited for, the other $other',
    async (seen) => {
      const [first, last] = [payer, payee].sort();
      const [held, other] = seen.held === 'first' ? [first, last] : [last, first];
      // In one statement of the server: a batch waits for no longer than a quarter of a second.
      const looked = runAsAdmin(
        config.shards[0]!.primary.adminUrl,
        `DO $$ BEGIN
         PERFORM FROM finance.accounts WHERE id = '${held}' FOR UPDATE;
         WHILE NOT EXISTS (
           SELECT FROM pg_locks WHERE transactionid = pg_current_xact_id()::xid AND NOT granted
         ) LOOP PERFORM pg_sleep(0.002); END LOOP;
         PERFORM FROM finance.accounts WHERE id = '${other}' FOR UPDATE NOWAIT;
       END $$`,
      ).then(
        () => 'is free',
        (error: unknown) => (sqlStateOf(error) === '55P03' ? 'is locked' : error),
      );
      await eventually('it is held', async () => {
        const rows = await rowsOf(`SELECT FROM finance.accounts WHERE id = '${held}' FOR UPDATE SKIP LOCKED`);
        return rows.length === 0;
      });
      await run([{ reference: 'order' }, { reference: 'order' }]);
      expect(await looked).toBe(seen.other);
    },
  );
});

describe('keys of one batch', () => {
  it('have one effect each', async () => {
    const key = randomUUID();
    const { told } = await run([
      { reference: 'k', key },
      { reference: 'k', key },
      { reference: 'l', key },
    ]);
    expect(told).toEqual(['done', 'done', 'GatewayError']);
    expect(await rowsOf(`SELECT FROM finance.transfers WHERE reference IN ('k', 'l')`)).toHaveLength(1);
  });
});

describe("a batch's statements", () => {
  // A plan lives as long as its connection, and tables are small when a connection is new.
  it('go by index from the first one on, however few rows there are', async () => {
    await rowsOf('ANALYZE');
    await close();
    const before = await scansOfMoney();
    await open();
    const holds = ['h0', 'h1', 'h2', 'h3'].map((key) =>
      transferOf({ reference: key, key, holdSeconds: 900 }),
    );
    const { told, ids } = await runCommands(holds);
    expect(told).toEqual(holds.map(() => 'done'));
    for (const mode of ['wait', 'skip'] as const) {
      const [posted, voided] = ids.splice(0, 2);
      const commands: TransferCommand[] = [
        transferOf({ reference: mode, key: mode }),
        { kind: 'post', transferId: posted!, amount: null, ...askedBy('test', `post ${mode}`) },
        { kind: 'void', transferId: voided!, ...askedBy('test', `void ${mode}`) },
      ];
      expect((await runCommands(commands, mode)).told).toEqual(['done', 'done', 'done']);
    }
    await close();
    const after = await scansOfMoney();
    expect(after.map(({ whole }) => whole)).toEqual(before.map(({ whole }) => whole));
    expect(after.filter(({ byIndex }, place) => byIndex > before[place]!.byIndex)).toHaveLength(4);
    await open();
  });
});

describe('after all of that', () => {
  it('the ledger is sound', async () => {
    await expect(assertLedgerSound(config)).resolves.toBeUndefined();
  });
});

/** Runs `fn` while another session has the payee locked. */
async function holding<T>(fn: () => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: config.shards[0]!.primary.adminUrl });
  await client.connect();
  try {
    await client.query('BEGIN');
    await client.query(`SELECT FROM finance.accounts WHERE id = '${payee}' FOR UPDATE`);
    return await fn();
  } finally {
    await client.end();
  }
}

/** How often each table of money was looked through whole, and by an index. A connection is counted when it ends. */
async function scansOfMoney() {
  return rowsOf<{ whole: number; byIndex: number }>(`
    SELECT seq_scan::int AS whole, idx_scan::int AS "byIndex" FROM pg_stat_user_tables
    WHERE relname IN ('accounts', 'transfers', 'transactions', 'idempotency_keys') ORDER BY relname`);
}
