import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { GatewayError } from '../../src/common/gateway-error.js';
import type { LookupStep } from '../../src/sharding/lookup/lookup-steps.js';
import { LookupWorld } from './unique-lookup-fixture.js';
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

describe.each(OWNER_STEPS)('an owner that dies at %s', (step, hasRow) => {
  it(`leaves the value ${hasRow ? 'with its row' : 'to the next one'}`, async () => {
    const tenant = world.newTenant();
    await dieAsOwner(world, tenant, step);
    expect(await world.rows(tenant)).toHaveLength(hasRow ? 1 : 0);
    await expectSound(world, tenant);
    await expectHeirSucceedsUnless(world, hasRow, tenant);
  });

  it('leaves nothing that a sweep does not settle', async () => {
    const tenant = world.newTenant();
    await dieAsOwner(world, tenant, step);
    await expectSettled(world, tenant);
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
      await expectHeirSucceedsUnless(world, false, tenant);
    });
  },
);

describe.each(HEIR_STEPS)('an heir of a dead owner that dies itself at %s', (step, hasRow) => {
  it(`leaves the value ${hasRow ? 'with its row' : 'to the next one'}`, async () => {
    const tenant = world.newTenant();
    await dieAsOwner(world, tenant, 'after-claim');
    const heir = world.process({ graceMs: 0, dieAt: step });
    await refusalOf(heir.create(tenant, world.newUserOn('s1', tenant), VALUE));
    expect(heir.steps.at(-1)).toBe(step);
    await expectSound(world, tenant);
    await expectHeirSucceedsUnless(world, hasRow, tenant);
    await expectSettled(world, tenant);
  });
});

describe.each(['before-abandon', 'after-abandon', 'before-confirm', 'after-confirm'] as const)(
  'a finder of an unconfirmed row that dies at %s',
  (step) => {
    it('leaves the value with the row', async () => {
      const tenant = world.newTenant();
      await dieAsOwner(world, tenant, 'after-create');
      const finder = world.process({ graceMs: 0, dieAt: step });
      await refusalOf(finder.create(tenant, world.newUserOn('s1', tenant), VALUE));
      expect(finder.steps.at(-1)).toBe(step);
      await expectHeirSucceedsUnless(world, true, tenant);
    });
  },
);

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
        await expectSound(world, tenant);
        await expectSettled(world, tenant);
      }),
      { numRuns: 60, endOnFailure: true },
    );
  }, 120_000);
});
