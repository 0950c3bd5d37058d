import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { CommitPlace } from '../../src/sharding/transactions/commit-steps.js';
import { eventually } from '../support/eventually.js';
import { ownDatabases } from '../support/own-databases.js';
import { TestConnection } from '../support/scratch-shards.js';
import { Purse } from '../support/two-phase/purse.js';
import { PurseGateway } from '../support/two-phase/purse-world.js';

const SHARDS = ['s0', 's1', 's2'];

let bank: PurseGateway;
/** It finishes what the bank leaves behind, and not before it is told to. */
let other: PurseGateway;
let admins: readonly TestConnection[];
/** What happens at each step of the bank's commits. */
let onStep: ((place: CommitPlace) => Promise<void> | void) | undefined;
let purses: readonly [Purse, Purse, Purse];

beforeAll(async () => {
  const [config, more] = [await ownDatabases(), await ownDatabases()];
  const third = more.shards[0];
  if (third === undefined) throw new Error('There is no server.');
  // A database of the server that the first shard is on: prepared transactions are listed for all of a server.
  const three = { ...config, shards: [...config.shards, { ...third, id: 's2' }] };
  other = await PurseGateway.start(three, { recovery: { recordsKeptMs: 0 } });
  bank = await PurseGateway.start(three, {
    coordinator: { recordsKeptMs: 10, onStep: (place) => onStep?.(place) },
  });
  admins = await Promise.all(three.shards.map(({ primary }) => TestConnection.open(primary.adminUrl)));
  const [a, b, c] = await Promise.all(SHARDS.map((shardId) => bank.open(shardId, 10)));
  purses = [a!, b!, c!];
}, 60_000);

afterAll(async () => {
  await Promise.all([bank.close(), other.close()]);
});

/** Two units of the first purse, one for each other. */
function share(): Promise<void> {
  const [from, ...others] = purses;
  return bank.together(purses, async (tx) => {
    await tx.lock(
      Purse,
      purses.map(({ id }) => id),
    );
    await tx.forUser(from.userId).getRepository(Purse).decrement(from.id, 'units', 2);
    for (const to of others) await tx.forUser(to.userId).getRepository(Purse).increment(to.id, 'units', 1);
  });
}

async function prepared(): Promise<number> {
  const sql = 'SELECT gid FROM pg_prepared_xacts WHERE database = current_database()';
  const found = await Promise.all(admins.map((admin) => admin.query(sql)));
  return found.flat().length;
}

describe('a transaction over three shards, two of them on one server', () => {
  it('is kept on all of them', async () => {
    await share();
    expect(await bank.units(...purses)).toEqual([8, 11, 11]);
    expect(await prepared()).toBe(0);
  });

  it.each(['s1', 's2'])('is kept on none of them when %s refuses', async (shardId) => {
    const before = await bank.units(...purses);
    onStep = async ({ when, step, shardId: at }) => {
      if (when !== 'before' || step !== 'prepare' || at !== shardId) return;
      const admin = admins[SHARDS.indexOf(shardId)];
      await admin?.query(`
        SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND application_name = 'shardgate' AND pid <> pg_backend_pid()`);
    };
    await expect(share()).rejects.toThrow('nothing was kept');
    onStep = undefined;
    await eventually('the part that was prepared is undone', async () => (await prepared()) === 0);
    expect(await other.units(...purses)).toEqual(before);
  });

  it('is finished on both others by another process, when the one that decided it does not', async () => {
    const before = await other.units(...purses);
    const reached = new Set<string>();
    // Neither of them is ever sent.
    onStep = ({ when, step, shardId }) => {
      if (when !== 'before' || step !== 'finish') return undefined;
      reached.add(shardId);
      return new Promise(() => undefined);
    };
    await share();
    onStep = undefined;
    expect([...reached].sort()).toEqual(['s1', 's2']);
    expect(await prepared()).toBe(2);
    const { recovered } = await other.runtime.transactions.recovery.recover(0);
    expect(recovered.map(({ decision }) => decision)).toEqual(['commit']);
    expect(await prepared()).toBe(0);
    expect(await other.units(...purses)).toEqual(before.map((units, index) => units! + [-2, 1, 1][index]!));
  });

  it('is undone on both others by another process, when the one that prepared it does not decide', async () => {
    const before = await other.units(...purses);
    let isStanding: () => void = () => undefined;
    const stands = new Promise<void>((resolve) => {
      isStanding = resolve;
    });
    let goOn: () => void = () => undefined;
    onStep = ({ when, step }) => {
      if (when !== 'before' || step !== 'decide') return undefined;
      isStanding();
      return new Promise((resolve) => {
        goOn = resolve;
      });
    };
    const shared = share();
    const told = expect(shared).rejects.toThrow(/nothing was kept/);
    await stands;
    expect(await prepared()).toBe(2);
    // The record of the one that is slow is not committed: recovery waits for it, and then finds out.
    const recovering = other.runtime.transactions.recovery.recover(0);
    await admins[0]!.query(`
      SELECT pg_terminate_backend(pid) FROM pg_stat_activity
      WHERE datname = current_database() AND state = 'idle in transaction'`);
    goOn();
    await told;
    onStep = undefined;
    await recovering;
    await eventually('nothing is prepared', async () => {
      await other.runtime.transactions.recovery.recover(0);
      return (await prepared()) === 0;
    });
    expect(await other.units(...purses)).toEqual(before);
  });
});
