import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { GatewayContext, GatewayError } from '../../src/index.js';
import type { CommitPlace } from '../../src/sharding/transactions/commit-steps.js';
import { eventually } from '../support/eventually.js';
import { SeededRandom } from '../support/hostile/seeded-random.js';
import { ownDatabases } from '../support/own-databases.js';
import { TestConnection } from '../support/scratch-shards.js';
import { Purse, PURSE_TENANT } from '../support/two-phase/purse.js';
import { PurseGateway } from '../support/two-phase/purse-world.js';

/** No transaction is as old. */
const NEVER_MS = 3_600_000;

/** Two processes: one whose steps a test can disturb, and one that looks on and recovers. */
let bank: PurseGateway;
let other: PurseGateway;
/** Of `s0` and of `s1`. */
let firstAdmin: TestConnection;
let admin: TestConnection;
let onStep: ((place: CommitPlace) => Promise<void> | void) | undefined;

beforeAll(async () => {
  const config = await ownDatabases();
  const coordinator = { recordsKeptMs: 50, onStep: (place: CommitPlace) => onStep?.(place) };
  bank = await PurseGateway.start(config, { coordinator });
  other = await PurseGateway.start(config);
  firstAdmin = await TestConnection.open(config.shards[0]?.primary.adminUrl ?? '');
  admin = await TestConnection.open(config.shards[1]?.primary.adminUrl ?? '');
}, 60_000);

afterAll(async () => {
  await bank.close();
  await other.close();
}, 30_000);

async function pair(units = 10): Promise<readonly [Purse, Purse]> {
  return [await bank.open('s0', units), await bank.open('s1', units)];
}

async function codeOf(call: Promise<unknown>): Promise<string | undefined> {
  try {
    await call;
    return undefined;
  } catch (error) {
    return error instanceof GatewayError ? error.code : String(error);
  }
}

async function recordsOfFirst(): Promise<string[]> {
  const rows = await firstAdmin.query<{ gid: string }>(
    'SELECT gid FROM shardgate.commit_records ORDER BY gid',
  );
  return rows.map(({ gid }) => gid);
}

/** Recovers again and again, however young a transaction is, until told to stop. */
async function recoverUntil(isOver: () => boolean, gateway: PurseGateway): Promise<void> {
  while (!isOver()) {
    await gateway.runtime.transactions.recovery.recover(0);
    await sleep(1);
  }
}

describe('gateway.crossShardTransaction', () => {
  it('keeps what it does on both shards, and removes its record later', async () => {
    const [from, to] = await pair();
    await bank.move(from, to, 4);
    expect(await bank.units(from, to)).toEqual([6, 14]);
    await eventually('the records are removed', async () => {
      const sql = 'SELECT count(*)::int AS records FROM shardgate.commit_records';
      const counts = await bank.runtime.nodes.primary('s0').query<{ records: number }>(sql);
      return counts[0]?.records === 0;
    });
  });

  it('keeps nothing anywhere when its function throws', async () => {
    const [from, to] = await pair();
    const failed = bank.together([from, to], async (tx) => {
      await tx.forUser(from.userId).getRepository(Purse).update(from.id, { units: 1 });
      await tx.getRepository(Purse).forUser(to.userId).update(to.id, { units: 9 });
      throw new Error('no');
    });
    await expect(failed).rejects.toThrow('no');
    expect(await bank.units(from, to)).toEqual([10, 10]);
  });

  it('keeps nothing anywhere when a statement failed and its failure was not looked at', async () => {
    const [from, to] = await pair();
    const failed = bank.together([from, to], async (tx) => {
      await tx.forUser(from.userId).getRepository(Purse).update(from.id, { units: 1 });
      const refused = tx.forUser(to.userId).getRepository(Purse).update(to.id, { units: -1 });
      await refused.catch(() => undefined);
    });
    await expect(failed).rejects.toThrow(/failed before/);
    expect(await bank.units(from, to)).toEqual([10, 10]);
  });

  it('is an ordinary transaction for users of one shard', async () => {
    const [from, to] = [await bank.open('s0', 10), await bank.open('s0', 10)];
    const places: CommitPlace[] = [];
    onStep = (place) => void places.push(place);
    await bank.move(from, to, 3);
    onStep = undefined;
    expect(await bank.units(from, to)).toEqual([7, 13]);
    expect(places).toEqual([]);
  });

  it('takes no SQL of its caller, and no user who was not named', async () => {
    const [from, to] = await pair();
    const stranger = await bank.open('s1', 0);
    await bank.together([from, to], async (tx) => {
      await expect(tx.forUser(from.userId).query('SELECT 1')).rejects.toThrow(/takes no SQL of its caller/);
      expect(() => tx.forUser(stranger.userId)).toThrow(/not about this user/);
    });
  });

  it('ends with an error that says to try again when two of them wait for each other through two servers', async () => {
    const [left, right] = await pair();
    const both = [left, right] as const;
    let atFirst = 0;
    const inOrder = (first: Purse, second: Purse): Promise<void> =>
      bank.together(both, async (tx) => {
        await tx.forUser(first.userId).getRepository(Purse).increment(first.id, 'units', 1);
        atFirst += 1;
        await eventually('both have locked their first row', () => atFirst === 2);
        await tx.forUser(second.userId).getRepository(Purse).decrement(second.id, 'units', 1);
      });
    const codes = await Promise.all([codeOf(inOrder(left, right)), codeOf(inOrder(right, left))]);
    expect(codes).toContain('rows_locked');
    expect(codes.every((code) => code === undefined || code === 'rows_locked')).toBe(true);
    const [atLeft = 0, atRight = 0] = await bank.units(left, right);
    expect(atLeft + atRight).toBe(20);
  }, 20_000);

  it('is given up when its record took so long that the one against it may have come and gone', async () => {
    const config = await ownDatabases();
    const slow = await PurseGateway.start(config, { coordinator: { recordPatienceMs: 0 } });
    try {
      const [from, to] = [await slow.open('s0', 10), await slow.open('s1', 10)];
      await expect(slow.move(from, to, 4)).rejects.toThrow(/given up; nothing was kept/);
      expect(await slow.units(from, to)).toEqual([10, 10]);
      const [counts] = await slow.runtime.nodes
        .primary('s1')
        .query<{ prepared: number }>(
          'SELECT count(*)::int AS prepared FROM pg_prepared_xacts WHERE database = current_database()',
        );
      expect(counts?.prepared).toBe(0);
    } finally {
      await slow.close();
    }
  });

  it('is whole when two processes recover while it is slow', async () => {
    const [from, to] = await pair(100);
    const random = new SeededRandom(7);
    onStep = () => sleep(Math.floor(random.next() * 8));
    let isOver = false;
    const recoveries = [recoverUntil(() => isOver, other), recoverUntil(() => isOver, bank)];
    const codes: (string | undefined)[] = [];
    for (let move = 0; move < 60; move += 1) codes.push(await codeOf(bank.move(from, to, 1)));
    isOver = true;
    onStep = undefined;
    await Promise.all(recoveries);
    const kept = codes.filter((code) => code === undefined).length;
    expect(await bank.units(from, to)).toEqual([100 - kept, 100 + kept]);
    expect(codes.every((code) => code === undefined || code === 'shard_unavailable')).toBe(true);
    expect(kept).toBeGreaterThan(0);
    expect(kept).toBeLessThan(60);
  }, 30_000);
});

describe('recovery', () => {
  it('removes records that no coordinator did after ten minutes, but none of what is not finished', async () => {
    const [from, to] = await pair();
    onStep = ({ when, step }) =>
      when === 'before' && step === 'finish' ? new Promise(() => undefined) : undefined;
    await bank.move(from, to, 4);
    onStep = undefined;
    const { recovery } = other.runtime.transactions;
    const [unfinished] = (await recovery.inDoubt()).transactions.map(({ gid }) => gid);
    await firstAdmin.query(`UPDATE shardgate.commit_records SET decided_at = now() - interval '11 minutes'`);
    await firstAdmin.query(`
      INSERT INTO shardgate.commit_records (gid, decision, decided_at)
      VALUES ('old', 'abort', now() - interval '11 minutes'), ('young', 'abort', now() - interval '9 minutes')`);
    expect((await recovery.recover(NEVER_MS)).recovered).toEqual([]);
    expect(await recordsOfFirst()).toEqual([unfinished, 'young'].sort());
    expect((await recovery.recover(0)).recovered.map(({ gid }) => gid)).toEqual([unfinished]);
    expect(await recordsOfFirst()).toEqual(['young']);
    expect(await other.units(from, to)).toEqual([6, 14]);
    await firstAdmin.query(`DELETE FROM shardgate.commit_records WHERE gid = 'young'`);
  });
});

/** Cuts that are taken while money moves. */
const CUTS = 40;

describe('gateway.snapshot', () => {
  it('sees every transaction on all shards or on none, under load and while parts wait for recovery', async () => {
    const purses = [...(await pair(1_000)), ...(await pair(1_000)), ...(await pair(1_000))];
    const random = new SeededRandom(11);
    const ids = purses.map(({ id }) => id);
    let abandoned = 0;
    onStep = ({ when, step }) => {
      if (when !== 'before' || step !== 'finish' || random.next() > 0.01 || abandoned >= 5) return;
      abandoned += 1;
      throw new Error('this process is gone');
    };
    let isOver = false;
    const mover = async (gateway: PurseGateway): Promise<void> => {
      while (!isOver) {
        const from = purses[Math.floor(random.next() * purses.length)];
        const to = purses[Math.floor(random.next() * purses.length)];
        if (from === undefined || to === undefined || from === to) continue;
        await codeOf(gateway.move(from, to, 1));
      }
    };
    const recovering = async (): Promise<void> => {
      while (!isOver) {
        await other.runtime.transactions.recovery.recover(200);
        await sleep(50);
      }
    };
    const load = [mover(bank), mover(bank), mover(other), mover(other), recovering()];
    const sums: (number | undefined)[] = [];
    while (sums.length < CUTS || abandoned === 0) {
      const sql = 'SELECT sum(units)::int AS sum FROM purses.purses WHERE id = ANY ($1)';
      const rows = await other.as(() =>
        other.runtime.gateway.snapshot((reader) => reader.query<{ sum: number }>(sql, [ids])),
      );
      sums.push(rows.reduce((total, { sum }) => total + sum, 0));
    }
    isOver = true;
    await Promise.all(load);
    onStep = undefined;
    await other.runtime.transactions.recovery.recover(0);
    expect(new Set(sums)).toEqual(new Set([6_000]));
    const units = await bank.units(...purses);
    expect(units.reduce<number>((total, value = 0) => total + value, 0)).toBe(6_000);
  }, 120_000);

  it('names what is in doubt when that does not end', async () => {
    const [from, to] = await pair();
    onStep = ({ when, step }) => {
      if (when === 'before' && step === 'finish') throw new Error('this process is gone');
    };
    await bank.move(from, to, 1);
    onStep = undefined;
    const read = other.as(() =>
      other.runtime.gateway.snapshot((reader) => reader.query('SELECT 1'), { deadlineMs: 100 }),
    );
    await expect(read).rejects.toThrow(/shardgate:.* is in doubt/);
    const { transactions } = await other.runtime.transactions.recovery.inDoubt();
    expect(transactions).toMatchObject([{ shardIds: ['s1'], decision: 'commit' }]);
    await other.runtime.transactions.recovery.recover(0);
    expect(await bank.units(from, to)).toEqual([9, 11]);
  });

  it('says that a shard is away when a connection is lost, while it waits and while it is read', async () => {
    const cut = (sql: string): Promise<unknown> =>
      admin.query(`SELECT pg_terminate_backend(pid) AS cut FROM pg_stat_activity
        WHERE datname = current_database() AND ${sql}`);
    const [from, to] = await pair();
    onStep = ({ when, step }) => {
      if (when === 'before' && step === 'finish') throw new Error('this process is gone');
    };
    await bank.move(from, to, 1);
    onStep = undefined;
    const waiting = codeOf(
      other.as(() => other.runtime.gateway.snapshot((reader) => reader.query('SELECT 1'))),
    );
    const wait = { isOver: false };
    void waiting.then(() => (wait.isOver = true));
    while (!wait.isOver) await cut(`application_name = 'shardgate-cut'`);
    expect(await waiting).toBe('shard_unavailable');
    await other.runtime.transactions.recovery.recover(0);
    const read = other.as(() =>
      other.runtime.gateway.snapshot(async (reader) => {
        await cut(`state = 'idle in transaction'`);
        await reader.query('SELECT 1');
      }),
    );
    expect(await codeOf(read)).toBe('shard_unavailable');
  }, 20_000);
});

describe('the cache', () => {
  /** Through the cache of this process: what is in the purses, and whether a database had to be asked. */
  const kept = (gateway: PurseGateway, purse: Purse) =>
    GatewayContext.run({ tenantId: PURSE_TENANT, actor: 'test' }, async () => {
      const row = await gateway.runtime.gateway.repository(Purse).findById(purse.id);
      return { units: row?.units, source: GatewayContext.trace()?.source };
    });

  const untilKept = (gateway: PurseGateway, purse: Purse) =>
    eventually('the cache answers', async () => (await kept(gateway, purse)).source === 'cache');

  it('shows a transaction at once in its own process, and within moments in another', async () => {
    const [from, to] = await pair(50);
    for (let move = 1; move <= 10; move += 1) {
      for (const gateway of [bank, other]) {
        await untilKept(gateway, from);
        await untilKept(gateway, to);
      }
      await bank.move(from, to, 1);
      expect([(await kept(bank, from)).units, (await kept(bank, to)).units]).toEqual([50 - move, 50 + move]);
      await eventually(
        'the other process shows it',
        async () => (await kept(other, to)).units === 50 + move,
        2_000,
      );
    }
  }, 30_000);

  it('keeps no row of a transaction in doubt, and shows what recovery committed in all processes', async () => {
    const [from, to] = await pair();
    for (const gateway of [bank, other]) await untilKept(gateway, to);
    onStep = ({ when, step }) => {
      if (when === 'after' && step === 'prepare') return admin.query('SELECT 1').then(() => undefined);
      if (when === 'before' && step === 'finish') throw new Error('this process is gone');
      return undefined;
    };
    await bank.move(from, to, 1);
    onStep = undefined;
    for (let read = 0; read < 5; read += 1) expect((await kept(bank, to)).source).not.toBe('cache');
    await other.runtime.transactions.recovery.recover(0);
    for (const gateway of [bank, other]) {
      await eventually('it is shown', async () => (await kept(gateway, to)).units === 11, 2_000);
    }
  });
});
