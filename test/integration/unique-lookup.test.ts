import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { GatewayError, ShardUnavailableError } from '../../src/common/gateway-error.js';
import { LookupWorld } from './unique-lookup-fixture.js';
import { inScope, refusalOf } from './unique-lookup-process.js';

let world: LookupWorld;

beforeAll(async () => {
  world = await LookupWorld.create();
}, 60_000);

afterAll(async () => {
  await world.close();
});

const refuse = () => {
  throw new GatewayError('quota_exceeded', 'No further account; raise the quota.');
};
const breakConnection = () => {
  throw new ShardUnavailableError('s1', 'its connection broke during the commit.');
};

describe('simultaneous creations of one value', () => {
  it('has exactly one winner in each of 200 rounds of two users on different shards', async () => {
    const tenant = world.newTenant();
    const [one, other] = [world.process(), world.process()];
    const users = [world.newUserOn('s0', tenant), world.newUserOn('s1', tenant)] as const;
    for (let round = 0; round < 200; round += 1) {
      const value = `round-${round}`;
      const refusals = await Promise.all([
        refusalOf(one.create(tenant, users[round % 2]!, value)),
        refusalOf(other.create(tenant, users[(round + 1) % 2]!, value)),
      ]);
      expect([...refusals].sort()).toEqual(['account_number_taken', undefined]);
    }
    const rows = await world.rows(tenant);
    expect(new Set(rows.map(({ value }) => value)).size).toBe(200);
    expect(rows).toHaveLength(200);
    const entries = await world.entries(tenant);
    expect(entries.map(({ rowId }) => rowId).sort()).toEqual(rows.map(({ id }) => id).sort());
    expect(entries.every(({ state }) => state === 'confirmed')).toBe(true);
  }, 60_000);

  it('has exactly one winner among ten', async () => {
    const tenant = world.newTenant();
    const refusals = await Promise.all(
      Array.from({ length: 10 }, (_, index) =>
        refusalOf(world.process().create(tenant, world.newUserOn(`s${index % 2}`, tenant), 'wanted')),
      ),
    );
    expect(refusals.filter((refusal) => refusal === undefined)).toHaveLength(1);
    expect(refusals.filter((refusal) => refusal === 'account_number_taken')).toHaveLength(9);
    expect(await world.rows(tenant)).toHaveLength(1);
  });

  it('lets two tenants use the same value', async () => {
    for (const tenant of [world.newTenant(), world.newTenant()]) {
      const id = await world.process().create(tenant, world.newUserOn('s0', tenant), 'the same');
      expect(await world.process().find(tenant, 'the same', 'primary')).toBe(id);
    }
  });
});

describe('a creation that is refused', () => {
  it.each([
    ['before its transaction', { beforeTransaction: refuse }],
    ['inside its transaction', { insideTransaction: refuse }],
    ['because the home shard is away before anything was sent', { beforeTransaction: breakConnection }],
  ])('gives the value back at once when it fails %s', async (_when, options) => {
    const tenant = world.newTenant();
    const user = world.newUserOn('s1', tenant);
    expect(await refusalOf(world.process().create(tenant, user, 'free', options))).toBeDefined();
    expect(await world.entries(tenant)).toEqual([]);
    expect(await world.rows(tenant)).toEqual([]);
    const heir = world.process();
    await heir.create(tenant, user, 'free');
    expect(heir.steps).not.toContain('before-abandon');
  });

  it('passes the refusal on as it was thrown', async () => {
    const tenant = world.newTenant();
    const user = world.newUserOn('s0', tenant);
    expect(await refusalOf(world.process().create(tenant, user, 'x', { insideTransaction: refuse }))).toBe(
      'quota_exceeded',
    );
  });

  it('gives the value back when it ends well without making a row', async () => {
    const tenant = world.newTenant();
    const userId = world.newUserOn('s0', tenant);
    const { shardId, bucket } = world.router.forUser({ tenantId: tenant, userId });
    const answer = await inScope(tenant, userId, () =>
      world.process().lookup.createUnique({
        index: 'account_number',
        value: 'replayed',
        userId,
        mintRowId: () => world.mint.mint(bucket),
        taken: () => new Error('taken'),
        create: () => Promise.resolve(`answer from ${shardId}`),
      }),
    );
    expect(answer).toBe('answer from s0');
    expect(await world.entries(tenant)).toEqual([]);
  });

  it('keeps no row of a creation that went on after its caller had given up', async () => {
    const tenant = world.newTenant();
    const userId = world.newUserOn('s0', tenant);
    const { shardId, bucket } = world.router.forUser({ tenantId: tenant, userId });
    let late: Promise<unknown> = Promise.resolve();
    const creation = inScope(tenant, userId, () =>
      world.process().lookup.createUnique({
        index: 'account_number',
        value: 'late',
        userId,
        mintRowId: () => world.mint.mint(bucket),
        taken: () => new Error('taken'),
        create: (rowId, recordOutcome) => {
          const givenUp = Promise.reject(new Error('the caller has no more time'));
          late = givenUp.catch(() =>
            world.access.write({ shardId, userId }, (manager) =>
              manager.transaction(async (transaction) => {
                await world.insertRow(transaction, {
                  tenantId: tenant,
                  rowId,
                  userId,
                  bucket,
                  value: 'late',
                });
                await recordOutcome(transaction);
              }),
            ),
          );
          return givenUp;
        },
      }),
    );
    expect(await refusalOf(creation)).toBe('the caller has no more time');
    expect(await refusalOf(late)).toBe('overloaded');
    expect(await world.rows(tenant)).toEqual([]);
    expect(await world.entries(tenant)).toEqual([]);
  });
});

describe('a creation whose end nobody knows', () => {
  it('keeps the claim, so that the value stays with the row that was committed', async () => {
    const tenant = world.newTenant();
    const user = world.newUserOn('s1', tenant);
    const owner = world.process();
    expect(await refusalOf(owner.create(tenant, user, 'kept', { afterCommit: breakConnection }))).toBe(
      'shard_unavailable',
    );
    const [row] = await world.rows(tenant);
    expect(await world.entries(tenant)).toMatchObject([{ rowId: row?.id, state: 'claimed' }]);
    expect(await owner.find(tenant, 'kept', 'primary')).toBe(row?.id);
    expect(await refusalOf(world.process({ graceMs: 0 }).create(tenant, user, 'kept'))).toBe(
      'account_number_taken',
    );
    expect(await world.entries(tenant)).toMatchObject([{ rowId: row?.id, state: 'confirmed' }]);
  });

  it('leaves the claim to others when nothing was committed', async () => {
    const tenant = world.newTenant();
    const user = world.newUserOn('s1', tenant);
    const lost = world.process().create(tenant, user, 'lost', { insideTransaction: breakConnection });
    expect(await refusalOf(lost)).toBe('shard_unavailable');
    expect(await world.entries(tenant)).toMatchObject([{ state: 'claimed' }]);
    const id = await world.process({ graceMs: 0 }).create(tenant, user, 'lost');
    expect(await world.entries(tenant)).toEqual([{ value: 'lost', rowId: id, state: 'confirmed' }]);
  });

  it('leaves the claim to others when the server ends the connection inside the transaction', async () => {
    const tenant = world.newTenant();
    const user = world.newUserOn('s1', tenant);
    const cut = world.process().create(tenant, user, 'cut', {
      insideTransaction: async (transaction) => {
        await transaction.query('SELECT pg_terminate_backend(pg_backend_pid())');
      },
    });
    expect(await refusalOf(cut)).toBe('shard_unavailable');
    expect(await world.entries(tenant)).toMatchObject([{ state: 'claimed' }]);
    const id = await world.process({ graceMs: 0 }).create(tenant, user, 'cut');
    expect(await world.rows(tenant)).toEqual([{ id, value: 'cut' }]);
  });

  it('succeeds when only the confirmation is lost', async () => {
    const tenant = world.newTenant();
    const value = world.newValueOn('s0', tenant);
    const owner = world.process();
    const id = await owner.create(tenant, world.newUserOn('s1', tenant), value, {
      afterCommit: () => void owner.away.add('s0'),
    });
    expect(await world.entries(tenant)).toEqual([{ value, rowId: id, state: 'claimed' }]);
    expect(await world.process().find(tenant, value, 'primary')).toBe(id);
  });
});
