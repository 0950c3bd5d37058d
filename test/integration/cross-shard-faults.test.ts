import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { CommitPlace } from '../../src/sharding/transactions/commit-steps.js';
import { eventually } from '../support/eventually.js';
import { AnswerThief } from '../support/two-phase/answer-thief.js';
import { FaultSite } from '../support/two-phase/fault-site.js';
import type { DeathPlan } from '../support/two-phase/purse-process.js';
import type { Purse } from '../support/two-phase/purse.js';
import { PurseGateway } from '../support/two-phase/purse-world.js';

const PROCESS = fileURLToPath(new URL('../support/two-phase/purse-process.ts', import.meta.url));
const REGISTER = fileURLToPath(new URL('../support/register-typescript.js', import.meta.url));

let site: FaultSite;
/** The coordinator, which reaches each shard through a thief. */
let bank: PurseGateway;
let thieves: ReadonlyMap<string, AnswerThief>;
/** What happens at each step of the coordinator. */
let onStep: ((place: CommitPlace) => Promise<void> | void) | undefined;

beforeAll(async () => {
  site = await FaultSite.create();
  const found = new Map<string, AnswerThief>();
  const shards = await Promise.all(
    site.config.shards.map(async (shard) => {
      const { thief, url } = await AnswerThief.before(shard.primary.url);
      found.set(shard.id, thief);
      return { ...shard, primary: { ...shard.primary, url } };
    }),
  );
  thieves = found;
  bank = await PurseGateway.start(
    { ...site.config, shards },
    { coordinator: { recordsKeptMs: 10, onStep: (place) => onStep?.(place) } },
  );
}, 60_000);

afterAll(async () => {
  await bank.close();
  await site.other.close();
}, 30_000);

async function purses(): Promise<readonly [Purse, Purse]> {
  return [await site.other.open('s0', 5), await site.other.open('s1', 5)];
}

/** Moves a unit, while this happens at each step. @returns why it was refused; undefined if it was not */
async function moveWhile(
  [from, to]: readonly [Purse, Purse],
  happens: NonNullable<typeof onStep>,
): Promise<string | undefined> {
  // The fault before may have left a primary in doubt.
  const { monitor } = bank.runtime;
  await eventually('the primaries are there', () => monitor.isHealthy('s0') && monitor.isHealthy('s1'));
  onStep = happens;
  try {
    await bank.move(from, to, 1);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : 'unknown';
  } finally {
    onStep = undefined;
  }
}

function isAt(place: string, { when, step }: CommitPlace): boolean {
  return place === `${when} ${step}`;
}

/** Where the process dies, beyond where it does not get, and whether the transaction is kept. */
const DEATHS: readonly (readonly [at: string, never: readonly string[], isKept: boolean])[] = [
  ['before record', ['before prepare'], false],
  ['before prepare', ['before record'], false],
  ['after record', ['before prepare'], false],
  ['after prepare', ['before record'], false],
  ['before decide', [], false],
  ['after decide', [], true],
  ['before finish', [], true],
  ['after finish', [], true],
];

describe.each(DEATHS)('a process that dies %s, never getting to %j', (at, never, isKept) => {
  it(`leaves a transaction that is ${isKept ? 'kept on both shards' : 'kept nowhere'}`, async () => {
    const [from, to] = await purses();
    const plan: DeathPlan = { config: site.config, from, to, at, never };
    const child = fork(PROCESS, [JSON.stringify(plan)], { execArgv: ['--import', REGISTER] });
    const [, signal] = (await once(child, 'exit')) as [number | null, string | null];
    expect(signal).toBe('SIGKILL');
    await site.recover();
    await site.expectMoved(isKept, [from, to]);
  });
});

/** Whose connections are cut where, and whether the transaction is kept. */
const CUTS: readonly (readonly [shardId: string, at: string, isKept: boolean])[] = [
  ['s0', 'before record', false],
  ['s0', 'after record', false],
  ['s0', 'before prepare', false],
  ['s0', 'before decide', false],
  ['s0', 'after decide', true],
  ['s0', 'before finish', true],
  ['s0', 'after finish', true],
  ['s1', 'before record', false],
  ['s1', 'before prepare', false],
  ['s1', 'after prepare', true],
  ['s1', 'before decide', true],
  ['s1', 'after decide', true],
  ['s1', 'before finish', true],
  ['s1', 'after finish', true],
];

describe.each(CUTS)('a connection to %s that is cut %s', (shardId, at, isKept) => {
  it(`leaves a transaction that is ${isKept ? 'kept on both shards' : 'kept nowhere'}, and says so`, async () => {
    const pair = await purses();
    let isOver = false;
    const refusal = await moveWhile(pair, async (place) => {
      // Of the two that go out together, the other one waits.
      if (at === 'before record' && isAt('before prepare', place)) await untilTrue(() => isOver);
      if (at === 'before prepare' && isAt('before record', place)) await untilTrue(() => isOver);
      if (!isAt(at, place)) return;
      await site.cut(shardId);
      isOver = true;
    });
    if (isKept) expect(refusal).toBeUndefined();
    else expect(refusal).toMatch(/nothing was kept/);
    await site.recover();
    await site.expectMoved(isKept, pair);
  });
});

/** Of which step the answer is lost, from whom, and whether the transaction is kept. */
const THEFTS: readonly (readonly [shardId: string, step: string, isKept: boolean])[] = [
  ['s0', 'record', false],
  ['s1', 'prepare', false],
  ['s0', 'decide', true],
  ['s1', 'finish', true],
];

describe.each(THEFTS)('an answer of %s to the step "%s" that is lost', (shardId, step, isKept) => {
  it(`leaves a transaction that is ${isKept ? 'kept on both shards' : 'kept nowhere'}, and says so`, async () => {
    const pair = await purses();
    const thief = thieves.get(shardId);
    const refusal = await moveWhile(pair, (place) => {
      if (place.step !== step || place.when !== 'before') return;
      thief?.steal();
      // Whoever connects anew is not robbed.
      setTimeout(() => thief?.stop(), 100);
    });
    if (isKept) expect(refusal).toBeUndefined();
    else expect(refusal).toMatch(/nothing was kept/);
    await site.recover();
    await site.expectMoved(isKept, pair);
  });
});

it('says that it is unknown whether it was kept when the first participant stays away, and is whole all the same', async () => {
  const pair = await purses();
  const refusal = await moveWhile(pair, (place) => {
    if (isAt('before decide', place)) thieves.get('s0')?.steal(true);
  });
  thieves.get('s0')?.stop();
  expect(refusal).toMatch(/Whether it was kept is unknown/);
  expect(await site.prepared()).toHaveLength(1);
  await site.recover();
  await site.expectMoved(true, pair);
});

it('answers when it is decided, although a part has to wait for recovery', async () => {
  const pair = await purses();
  const refusal = await moveWhile(pair, async (place) => {
    if (!isAt('before finish', place)) return;
    thieves.get('s1')?.steal(true);
    // Before it is sent: the part is left prepared.
    await site.cut('s1');
  });
  const { transactions } = await site.other.runtime.transactions.recovery.inDoubt();
  thieves.get('s1')?.stop();
  expect(refusal).toBeUndefined();
  // Nobody is told of what cannot be seen before it counts as waiting.
  expect(transactions[0]?.ageMs).toBeGreaterThan(1_000);
  await site.recover();
  await site.expectMoved(true, pair);
});

async function untilTrue(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await new Promise((resolve) => setImmediate(resolve));
}
