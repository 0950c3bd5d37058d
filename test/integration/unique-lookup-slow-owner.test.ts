import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { GatewayError } from '../../src/common/gateway-error.js';
import type { LookupStep } from '../../src/sharding/lookup/lookup-steps.js';
import { LookupWorld } from './unique-lookup-fixture.js';
import { Gate } from './unique-lookup-gate.js';
import { refusalOf } from './unique-lookup-process.js';
import {
  dieAsOwner,
  expectHeirSucceedsUnless,
  expectSettled,
  expectSound,
  VALUE,
} from './unique-lookup-soundness.js';

let world: LookupWorld;

beforeAll(async () => {
  world = await LookupWorld.create();
}, 60_000);

afterAll(async () => {
  await world.close();
});

describe('a slow owner', () => {
  const gates: Gate[] = [];

  // A test that failed would leave its owner standing, and its transaction open.
  afterEach(() => {
    for (const gate of gates.splice(0)) gate.open();
  });

  /** An owner that stands before a gate at this step, once. */
  function slowOwner(tenant: string, step: LookupStep) {
    const gate = new Gate();
    gates.push(gate);
    const owner = world.process({
      graceMs: 0,
      onStep: async (reached) => {
        if (reached === step) await gate.pass();
      },
    });
    const ended = refusalOf(owner.create(tenant, world.newUserOn('s0', tenant), VALUE));
    return { gate, owner, ended };
  }

  it.each(['after-claim', 'before-create', 'before-record'] as const)(
    'loses cleanly to one who did not wait when it stood still at %s',
    async (step) => {
      const tenant = world.newTenant();
      const { gate, ended } = slowOwner(tenant, step);
      await gate.reached;
      const id = await world.process({ graceMs: 0 }).create(tenant, world.newUserOn('s1', tenant), VALUE);
      gate.open();
      expect(await ended).toBe('account_number_taken');
      expect(await world.rows(tenant)).toEqual([{ id, value: VALUE }]);
      expect(await world.entries(tenant)).toEqual([{ value: VALUE, rowId: id, state: 'confirmed' }]);
    },
  );

  it('begins anew with another row when the one who took its claim made nothing of it', async () => {
    const tenant = world.newTenant();
    const { gate, owner, ended } = slowOwner(tenant, 'before-create');
    await gate.reached;
    await refusalOf(
      world
        .process({ graceMs: 0, dieAt: 'after-abandon' })
        .create(tenant, world.newUserOn('s1', tenant), VALUE),
    );
    gate.open();
    expect(await ended).toBeUndefined();
    expect(owner.steps.filter((step) => step === 'before-create')).toHaveLength(2);
    await expectSettled(world, tenant);
    expect(await world.rows(tenant)).toHaveLength(1);
  });

  it('wins when it is in the middle of its transaction, and the other waits for that', async () => {
    const tenant = world.newTenant();
    const { gate, ended } = slowOwner(tenant, 'after-record');
    await gate.reached;
    const reachedTombstone = new Gate();
    const other = world.process({
      graceMs: 0,
      onStep: (step) => (step === 'before-abandon' ? void reachedTombstone.pass() : undefined),
    });
    const refusal = refusalOf(other.create(tenant, world.newUserOn('s1', tenant), VALUE));
    await reachedTombstone.reached;
    gate.open();
    expect(await ended).toBeUndefined();
    expect(await refusal).toBe('account_number_taken');
    await expectSettled(world, tenant);
    expect(await world.rows(tenant)).toHaveLength(1);
  });

  it('is not waited for without end', async () => {
    const tenant = world.newTenant();
    const { gate, ended } = slowOwner(tenant, 'after-record');
    await gate.reached;
    const other = world.process({ graceMs: 0, deadlineMs: 50 });
    expect(await refusalOf(other.create(tenant, world.newUserOn('s1', tenant), VALUE))).toBe('overloaded');
    gate.open();
    expect(await ended).toBeUndefined();
    await expectSettled(world, tenant);
  });

  it('is given time before anybody settles its claim', async () => {
    const tenant = world.newTenant();
    const { gate, ended } = slowOwner(tenant, 'before-create');
    await gate.reached;
    const other = world.process({ graceMs: 60_000 });
    const looked = other.untilRead(3);
    const refusal = refusalOf(other.create(tenant, world.newUserOn('s1', tenant), VALUE));
    await looked;
    gate.open();
    expect(await ended).toBeUndefined();
    expect(await refusal).toBe('account_number_taken');
    expect(other.steps).not.toContain('before-abandon');
  });
});

describe('heirs of a dead owner', () => {
  it('get its claim one at a time', async () => {
    const tenant = world.newTenant();
    await dieAsOwner(world, tenant, 'after-claim');
    const heirs = ['s0', 's1'].map((shard) => {
      const gate = new Gate();
      const heir = world.process({
        graceMs: 0,
        onStep: (step) => (step === 'before-take-over' ? gate.pass() : undefined),
      });
      return { gate, ended: refusalOf(heir.create(tenant, world.newUserOn(shard, tenant), VALUE)) };
    });
    await Promise.all(heirs.map(({ gate }) => gate.reached));
    for (const { gate, ended } of heirs) {
      gate.open();
      await ended;
    }
    expect(await Promise.all(heirs.map(({ ended }) => ended))).toEqual([undefined, 'account_number_taken']);
    expect(await world.rows(tenant)).toHaveLength(1);
    await expectSound(world, tenant);
  });

  it('keep the claim when its former owner turns out to be refused', async () => {
    const tenant = world.newTenant();
    const [ownerGate, heirGate] = [new Gate(), new Gate()];
    const refused = refusalOf(
      world.process().create(tenant, world.newUserOn('s0', tenant), VALUE, {
        beforeTransaction: async () => {
          await ownerGate.pass();
          throw new GatewayError('quota_exceeded', 'No further account.');
        },
      }),
    );
    await ownerGate.reached;
    const heir = world.process({
      graceMs: 0,
      onStep: (step) => (step === 'before-create' ? heirGate.pass() : undefined),
    });
    const inherited = refusalOf(heir.create(tenant, world.newUserOn('s1', tenant), VALUE));
    await heirGate.reached;
    ownerGate.open();
    expect(await refused).toBe('quota_exceeded');
    expect(await world.entries(tenant)).toMatchObject([{ state: 'claimed' }]);
    heirGate.open();
    expect(await inherited).toBeUndefined();
    await expectHeirSucceedsUnless(world, true, tenant);
  });
});

describe('a claim whose home shard is away', () => {
  it('is left alone, and settled when the shard is back', async () => {
    const tenant = world.newTenant();
    const value = world.newValueOn('s1', tenant);
    await refusalOf(
      world.process({ dieAt: 'after-claim' }).create(tenant, world.newUserOn('s0', tenant), value),
    );
    const other = world.process({ graceMs: 0 });
    other.away.add('s0');
    const user = world.newUserOn('s1', tenant);
    expect(await refusalOf(other.create(tenant, user, value))).toBe('shard_unavailable');
    expect(await world.rows(tenant)).toEqual([]);
    other.away.clear();
    expect(await refusalOf(other.create(tenant, user, value))).toBeUndefined();
  });
});
