import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { GatewayError } from '../../src/common/gateway-error.js';
import type { LookupStep } from '../../src/sharding/lookup/lookup-steps.js';
import { Gate, LookupWorld, refusalOf } from './unique-lookup-fixture.js';

let world: LookupWorld;

beforeAll(async () => {
  world = await LookupWorld.create();
}, 60_000);

afterAll(async () => {
  await world.close();
});

const DIED = 'this process died';
const VALUE = 'wanted';

/** Every place where the owner of a fresh value can die, and whether its row is committed by then. */
const OWNER_STEPS: readonly (readonly [LookupStep, boolean])[] = [
  ['before-claim', false],
  ['after-claim', false],
  ['before-create', false],
  ['before-record', false],
  ['after-record', false],
  ['after-create', true],
  ['before-confirm', true],
  ['after-confirm', true],
];

/** Every further place where somebody can die who finds a claim that came to nothing. */
const HEIR_STEPS: readonly (readonly [LookupStep, boolean])[] = [
  ['before-abandon', false],
  ['after-abandon', false],
  ['before-take-over', false],
  ['after-take-over', false],
  ['before-record', false],
  ['after-record', false],
  ['after-create', true],
  ['before-confirm', true],
  ['after-confirm', true],
];

/** The value has at most one row; what `find` finds exists; the entry names the row that is there. */
async function expectSound(tenant: string): Promise<void> {
  const rows = await world.rows(tenant);
  expect(rows.length).toBeLessThanOrEqual(1);
  expect(await world.process().find(tenant, VALUE, 'primary')).toBe(rows[0]?.id);
  const entries = await world.entries(tenant);
  for (const row of rows) expect(entries).toMatchObject([{ rowId: row.id }]);
  const confirmed = entries.filter(({ state }) => state === 'confirmed');
  for (const { rowId } of confirmed) expect(rows.map(({ id }) => id)).toEqual([rowId]);
}

/** After a sweep, the value is free or belongs to a whole row, with nothing in between. */
async function expectSettled(tenant: string): Promise<void> {
  expect(await world.process().sweep(tenant)).toMatchObject({ unsettled: 0, missingShards: [] });
  await expectSound(tenant);
  const rows = await world.rows(tenant);
  expect(await world.entries(tenant)).toEqual(
    rows.map(({ id }) => ({ value: VALUE, rowId: id, state: 'confirmed' })),
  );
}

/** Somebody else wants the value: they get it exactly when nobody has it. */
async function expectHeirSucceedsUnless(hasRow: boolean, tenant: string): Promise<void> {
  const heir = world.process({ graceMs: 0 });
  const refusal = await refusalOf(heir.create(tenant, world.newUserOn('s1', tenant), VALUE));
  expect(refusal).toBe(hasRow ? 'account_number_taken' : undefined);
  expect(await world.entries(tenant)).toMatchObject([{ state: 'confirmed' }]);
  await expectSound(tenant);
  expect(await world.rows(tenant)).toHaveLength(1);
}

async function dieAsOwner(tenant: string, step: LookupStep): Promise<void> {
  const owner = world.process({ dieAt: step });
  const refusal = await refusalOf(owner.create(tenant, world.newUserOn('s0', tenant), VALUE));
  expect(owner.steps.at(-1)).toBe(step);
  // Its row is there when it dies over the confirmation, so the creation itself has succeeded.
  expect(refusal).toBe(step.endsWith('confirm') ? undefined : DIED);
}

describe.each(OWNER_STEPS)('an owner that dies at %s', (step, hasRow) => {
  it(`leaves the value ${hasRow ? 'with its row' : 'to the next one'}`, async () => {
    const tenant = world.newTenant();
    await dieAsOwner(tenant, step);
    expect(await world.rows(tenant)).toHaveLength(hasRow ? 1 : 0);
    await expectSound(tenant);
    await expectHeirSucceedsUnless(hasRow, tenant);
  });

  it('leaves nothing that a sweep does not settle', async () => {
    const tenant = world.newTenant();
    await dieAsOwner(tenant, step);
    await expectSettled(tenant);
    expect(await world.rows(tenant)).toHaveLength(hasRow ? 1 : 0);
  });
});

describe.each(['before-release', 'after-release'] as const)(
  'an owner that dies at %s after a refusal',
  (step) => {
    it('leaves the value to the next one', async () => {
      const tenant = world.newTenant();
      const owner = world.process({ dieAt: step });
      const creation = owner.create(tenant, world.newUserOn('s0', tenant), VALUE, {
        insideTransaction: () => {
          throw new GatewayError('quota_exceeded', 'No further account.');
        },
      });
      expect(await refusalOf(creation)).toBe('quota_exceeded');
      expect(owner.steps.at(-1)).toBe(step);
      await expectHeirSucceedsUnless(false, tenant);
    });
  },
);

describe.each(HEIR_STEPS)('an heir of a dead owner that dies itself at %s', (step, hasRow) => {
  it(`leaves the value ${hasRow ? 'with its row' : 'to the next one'}`, async () => {
    const tenant = world.newTenant();
    await dieAsOwner(tenant, 'after-claim');
    const heir = world.process({ graceMs: 0, dieAt: step });
    await refusalOf(heir.create(tenant, world.newUserOn('s1', tenant), VALUE));
    expect(heir.steps.at(-1)).toBe(step);
    await expectSound(tenant);
    await expectHeirSucceedsUnless(hasRow, tenant);
    await expectSettled(tenant);
  });
});

describe.each(['before-abandon', 'after-abandon', 'before-confirm', 'after-confirm'] as const)(
  'a finder of an unconfirmed row that dies at %s',
  (step) => {
    it('leaves the value with the row', async () => {
      const tenant = world.newTenant();
      await dieAsOwner(tenant, 'after-create');
      const finder = world.process({ graceMs: 0, dieAt: step });
      await refusalOf(finder.create(tenant, world.newUserOn('s1', tenant), VALUE));
      expect(finder.steps.at(-1)).toBe(step);
      await expectHeirSucceedsUnless(true, tenant);
    });
  },
);

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
    await expectSettled(tenant);
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
    await expectSettled(tenant);
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
    await expectSettled(tenant);
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
    await dieAsOwner(tenant, 'after-claim');
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
    await expectSound(tenant);
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
    await expectHeirSucceedsUnless(true, tenant);
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

describe('any mixture of creations, deaths and sweeps', () => {
  const step = fc.constantFrom(...new Set([...OWNER_STEPS, ...HEIR_STEPS].map(([name]) => name)));
  const actor = fc.record({
    shard: fc.constantFrom('s0', 's1'),
    graceMs: fc.constantFrom(0, 0, 20),
    dieAt: fc.option(step, { nil: undefined }),
    refuses: fc.boolean(),
    sweepsFirst: fc.boolean(),
  });

  it('leaves the value free, or with one whole row', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(actor, { minLength: 2, maxLength: 5 }), async (actors) => {
        const tenant = world.newTenant();
        await Promise.all(
          actors.map(async ({ shard, graceMs, dieAt, refuses, sweepsFirst }) => {
            const process = world.process({ graceMs, dieAt, deadlineMs: 2_000 });
            if (sweepsFirst) await refusalOf(process.sweep(tenant));
            const refusal = refuses
              ? () => {
                  throw new GatewayError('quota_exceeded', 'No further account.');
                }
              : () => undefined;
            const user = world.newUserOn(shard, tenant);
            await refusalOf(process.create(tenant, user, VALUE, { insideTransaction: refusal }));
          }),
        );
        await expectSound(tenant);
        await expectSettled(tenant);
      }),
      { numRuns: 60, endOnFailure: true },
    );
  }, 120_000);
});
