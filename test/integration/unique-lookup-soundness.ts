import { expect } from '@jest/globals';
import type { LookupStep } from '../../src/sharding/lookup/lookup-steps.js';
import type { LookupWorld } from './unique-lookup-fixture.js';
import { refusalOf } from './unique-lookup-process.js';

/** The value that everybody wants. */
export const VALUE = 'wanted';

/** The value has at most one row; what `find` finds exists; the entry names the row that is there. */
export async function expectSound(world: LookupWorld, tenant: string): Promise<void> {
  const rows = await world.rows(tenant);
  expect(rows.length).toBeLessThanOrEqual(1);
  expect(await world.process().find(tenant, VALUE, 'primary')).toBe(rows[0]?.id);
  const entries = await world.entries(tenant);
  for (const row of rows) expect(entries).toMatchObject([{ rowId: row.id }]);
  const confirmed = entries.filter(({ state }) => state === 'confirmed');
  for (const { rowId } of confirmed) expect(rows.map(({ id }) => id)).toEqual([rowId]);
}

/** After a sweep, the value is free or belongs to a whole row, with nothing in between. */
export async function expectSettled(world: LookupWorld, tenant: string): Promise<void> {
  expect(await world.process().sweep(tenant)).toMatchObject({ unsettled: 0, missingShards: [] });
  await expectSound(world, tenant);
  const rows = await world.rows(tenant);
  expect(await world.entries(tenant)).toEqual(
    rows.map(({ id }) => ({ value: VALUE, rowId: id, state: 'confirmed' })),
  );
}

/** Somebody else wants the value: they get it exactly when nobody has it. */
export async function expectHeirSucceedsUnless(
  world: LookupWorld,
  hasRow: boolean,
  tenant: string,
): Promise<void> {
  const heir = world.process({ graceMs: 0 });
  const refusal = await refusalOf(heir.create(tenant, world.newUserOn('s1', tenant), VALUE));
  expect(refusal).toBe(hasRow ? 'account_number_taken' : undefined);
  expect(await world.entries(tenant)).toMatchObject([{ state: 'confirmed' }]);
  await expectSound(world, tenant);
  expect(await world.rows(tenant)).toHaveLength(1);
}

/** Lets an owner of the value die at this step. */
export async function dieAsOwner(world: LookupWorld, tenant: string, step: LookupStep): Promise<void> {
  const owner = world.process({ dieAt: step });
  const refusal = await refusalOf(owner.create(tenant, world.newUserOn('s0', tenant), VALUE));
  expect(owner.steps.at(-1)).toBe(step);
  // Its row is there when it dies over the confirmation, so the creation itself has succeeded.
  expect(refusal).toBe(step.endsWith('confirm') ? undefined : 'this process died');
}
