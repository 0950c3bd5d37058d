import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { LookupWorld } from './unique-lookup-fixture.js';
import { refusalOf } from './unique-lookup-process.js';

let world: LookupWorld;

beforeAll(async () => {
  world = await LookupWorld.create();
}, 60_000);

afterAll(async () => {
  await world.close();
});

describe('find', () => {
  it('finds a row by its value on a replica and on the primary', async () => {
    const tenant = world.newTenant();
    const process = world.process();
    const id = await process.create(tenant, world.newUserOn('s1', tenant), 'sought');
    await world.untilReplicasCaughtUp();
    expect(await process.find(tenant, 'sought', 'primary')).toBe(id);
    expect(await process.find(tenant, 'sought', 'replica')).toBe(id);
    expect(await process.find(tenant, 'never given', 'primary')).toBeUndefined();
    expect(await process.find(world.newTenant(), 'sought', 'primary')).toBeUndefined();
  });

  it('does not find a value that is only claimed, and leaves its owner in peace', async () => {
    const tenant = world.newTenant();
    const reader = world.process();
    let seen: string | undefined = 'not looked';
    const id = await world.process().create(tenant, world.newUserOn('s0', tenant), 'claimed', {
      beforeTransaction: async () => {
        seen = await reader.find(tenant, 'claimed', 'primary');
      },
    });
    expect(seen).toBeUndefined();
    expect(await reader.find(tenant, 'claimed', 'primary')).toBe(id);
  });

  it('does not find a value whose row is not committed yet', async () => {
    const tenant = world.newTenant();
    let seen: string | undefined = 'not looked';
    await world.process().create(tenant, world.newUserOn('s0', tenant), 'open', {
      insideTransaction: async () => {
        seen = await world.process().find(tenant, 'open', 'primary');
      },
    });
    expect(seen).toBeUndefined();
  });
});

describe('a sweep', () => {
  it('confirms claims whose rows exist, frees the others, and touches nobody else', async () => {
    const tenant = world.newTenant();
    const neighbour = world.newTenant();
    for (const shard of ['s0', 's1']) {
      const user = world.newUserOn(shard, tenant);
      const dead = world.process({ dieAt: 'after-claim' });
      await refusalOf(dead.create(tenant, user, world.newValueOn('s0', tenant)));
      const unconfirmed = world.process({ dieAt: 'before-confirm' });
      await refusalOf(unconfirmed.create(tenant, user, world.newValueOn('s1', tenant)));
      await world.process().create(tenant, user, `whole-${shard}`);
    }
    const foreign = world.process({ dieAt: 'after-claim' });
    await refusalOf(foreign.create(neighbour, world.newUserOn('s0', neighbour), 'theirs'));

    const report = await world.process().sweep(tenant);
    expect(report).toEqual({ confirmed: 2, released: 2, unsettled: 0, missingShards: [] });
    const entries = await world.entries(tenant);
    expect(entries.every(({ state }) => state === 'confirmed')).toBe(true);
    expect(entries.map(({ rowId }) => rowId).sort()).toEqual(
      (await world.rows(tenant)).map(({ id }) => id).sort(),
    );
    expect(await world.entries(neighbour)).toMatchObject([{ value: 'theirs', state: 'claimed' }]);
    expect(await world.process().sweep(tenant)).toMatchObject({ confirmed: 0, released: 0 });
  });

  it('leaves claims that are younger than asked for', async () => {
    const tenant = world.newTenant();
    const dead = world.process({ dieAt: 'after-claim' });
    await refusalOf(dead.create(tenant, world.newUserOn('s0', tenant), 'young'));
    expect(await world.process().sweep(tenant, 60_000)).toMatchObject({ released: 0 });
    expect(await world.entries(tenant)).toMatchObject([{ value: 'young', state: 'claimed' }]);
  });

  it('does what it can while a shard is away, and names what it could not', async () => {
    const tenant = world.newTenant();
    const values = { s0: world.newValueOn('s0', tenant), s1: world.newValueOn('s1', tenant) };
    for (const [user, value] of [
      [world.newUserOn('s0', tenant), values.s0],
      [world.newUserOn('s1', tenant), world.newValueOn('s0', tenant)],
      [world.newUserOn('s0', tenant), values.s1],
    ] as const) {
      await refusalOf(world.process({ dieAt: 'after-claim' }).create(tenant, user, value));
    }
    const sweeper = world.process();
    sweeper.away.add('s1');
    expect(await sweeper.sweep(tenant)).toEqual({
      confirmed: 0,
      released: 1,
      unsettled: 1,
      missingShards: ['s1'],
    });
    sweeper.away.clear();
    expect(await sweeper.sweep(tenant)).toMatchObject({ released: 2, unsettled: 0, missingShards: [] });
    expect(await world.entries(tenant)).toEqual([]);
  });

  it('does not free the value of an owner in the middle of its transaction', async () => {
    const tenant = world.newTenant();
    const report: unknown[] = [];
    const id = await world.process().create(tenant, world.newUserOn('s0', tenant), 'busy', {
      insideTransaction: async () => {
        report.push(await world.process().sweep(tenant));
      },
    });
    expect(report).toMatchObject([{ released: 0, unsettled: 1 }]);
    expect(await world.process().find(tenant, 'busy', 'primary')).toBe(id);
  });
});
