import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { SERVICE_SCHEMA } from '../../src/service-schema.js';
import { SILENT_LOG } from '../../src/common/log.js';
import { resolveGatewayOptions } from '../../src/gateway/gateway-options.js';
import { GatewayRuntime } from '../../src/gateway/gateway-runtime.js';
import { GatewayContext } from '../../src/index.js';
import { parseAmount } from '../../src/modules/money/amount.js';
import type { TransferCommand } from '../../src/modules/transfers/decisions/transfer-command.js';
import type { ClusterConfig } from '../../src/sharding/cluster/cluster-config.js';
import { IdMint } from '../../src/sharding/topology/id-mint.js';
import type { CommitPlace } from '../../src/sharding/transactions/commit-steps.js';
import { eventually } from '../support/eventually.js';
import { checkLedgersAfterwards } from '../support/ledgers-afterwards.js';
import { ownDatabases, runAsAdmin } from '../support/own-databases.js';
import { TransferBatchRunner } from '../support/transfer-batch-runner.js';

const TENANT = 'acme';
const BOTH = ['s0', 's1'];
const NEVER_MS = 3_600_000;

interface HomeAccount {
  readonly id: string;
  readonly shardId: string;
  readonly bucket: number;
}

let config: ClusterConfig;
let runtime: GatewayRuntime;
let batches: TransferBatchRunner;
let onStep: ((place: CommitPlace) => Promise<void> | void) | undefined;
/** On the shard that decides, and on the one that follows; the last two have nothing to do with what is in doubt. */
let first: HomeAccount;
let second: HomeAccount;
let third: HomeAccount;
let fourth: HomeAccount;

beforeAll(async () => {
  config = await ownDatabases();
  checkLedgersAfterwards(config);
  runtime = await GatewayRuntime.start(resolveGatewayOptions({ ...config, ...SERVICE_SCHEMA }), {
    log: SILENT_LOG,
    transactions: {
      coordinator: { onStep: (place) => onStep?.(place) },
      recovery: { everyMs: NEVER_MS },
    },
  });
  first = await openOn('s0');
  second = await openOn('s1');
  third = await openOn('s1');
  fourth = await openOn('s1');
  const homes = new Map([first, second, third, fourth].map(({ id, shardId }) => [id, shardId]));
  batches = new TransferBatchRunner(runtime.access.writes, TENANT, (id) => homes.get(id) ?? '');
}, 60_000);

afterAll(() => runtime.close());

const ids = new IdMint();

/** An account of a new user of the shard, which may be overdrawn. */
async function openOn(shardId: string): Promise<HomeAccount> {
  const { gateway } = runtime;
  let userId: string;
  do userId = `user-${ids.mint(0)}`;
  while (gateway.route({ tenantId: TENANT, userId }).shardId !== shardId);
  const { bucket } = gateway.route({ tenantId: TENANT, userId });
  const id = ids.mint(bucket);
  await GatewayContext.run({ tenantId: TENANT, actor: 'test' }, () =>
    gateway.query(
      `INSERT INTO finance.accounts (tenant_id, id, user_id, bucket, account_number, currency, overdraft_limit)
       VALUES ($1, $2, $3, $4, 'N' || left($2::uuid::text, 13), 'EUR', 1000)`,
      [TENANT, id, userId, bucket],
      { userId },
    ),
  );
  return { id, shardId, bucket };
}

function askedAt({ shardId, bucket }: HomeAccount) {
  return {
    homeShardId: shardId,
    homeBucket: bucket,
    userId: undefined,
    actor: 'test',
    idempotency: undefined,
    subMinorUnits: false,
  };
}

function transferOf(from: HomeAccount, to: HomeAccount, holdSeconds?: number): TransferCommand {
  return {
    kind: 'transfer',
    fromAccountId: from.id,
    toAccountId: to.id,
    amount: parseAmount('1')!,
    reference: null,
    holdSeconds,
    ...askedAt(from),
  };
}

function voidOf(transferId: string): TransferCommand {
  return { kind: 'void', transferId, ...askedAt(second) };
}

/** A hold of the second account that its caller was told of, and that waits for recovery on its shard. */
async function holdInDoubt(): Promise<string> {
  onStep = ({ when, step }) =>
    when === 'before' && step === 'finish' ? new Promise(() => undefined) : undefined;
  const { told, ids: done } = await batches.run(BOTH, [
    transferOf(first, second),
    transferOf(second, first, 900),
  ]);
  onStep = undefined;
  expect(told).toEqual(['done', 'done']);
  return done[1]!;
}

function recover() {
  return runtime.transactions.recovery.recover(0);
}

describe('a hold that was told of, and waits for recovery', () => {
  it.each(['wait', 'skip'] as const)(
    'is not taken for none, and is resolved when it is there (%s)',
    async (mode) => {
      const held = await holdInDoubt();
      const none = ids.mint(second.bucket);
      // Nobody sees which transfers those are that are prepared.
      expect(await batches.run(['s1'], [voidOf(held), voidOf(none)], mode)).toMatchObject({
        told: [],
        left: 2,
      });
      await recover();
      expect((await batches.run(['s1'], [voidOf(held), voidOf(none)], mode)).told).toEqual([
        'done',
        'refused',
      ]);
    },
  );

  it('is not taken for none when it appears while a batch waits for its locks', async () => {
    const held = await holdInDoubt();
    const client = new pg.Client({ connectionString: config.shards[1]!.primary.adminUrl });
    await client.connect();
    try {
      await client.query('BEGIN');
      await client.query(`SELECT FROM finance.accounts WHERE id = '${third.id}' FOR UPDATE`);
      const running = batches.run(['s1'], [voidOf(held), transferOf(third, fourth)]);
      await eventually('the batch waits', async () => {
        const waiting =
          'SELECT FROM pg_locks WHERE transactionid = pg_current_xact_id()::xid AND NOT granted';
        return (await client.query(waiting)).rowCount === 1;
      });
      await recover();
      await client.query('COMMIT');
      // Given back, or done where the batch had begun anew.
      expect((await running).told).not.toContain('refused');
    } finally {
      await client.end();
    }
    await batches.run(['s1'], [voidOf(held)]);
    const sql = `SELECT status FROM finance.transfers WHERE id = '${held}'`;
    expect((await runAsAdmin(config.shards[1]!.primary.adminUrl, sql)).rows).toEqual([{ status: 'VOIDED' }]);
  });
});
