import { beforeAll, describe, expect, it } from '@jest/globals';
// First: what it stops after the file must be gone before the cluster is.
import { GatewayProcess } from '../support/gateway-process.js';
import { startOwnCluster } from '../support/cluster.js';
import { eventually } from '../support/eventually.js';
import { Bank, judge, reader, writer, type BankAccount } from '../support/load/bank-clients.js';
import { replicaAdminUrl } from '../support/load/held-replicas.js';
import {
  percentileMs,
  SteadyLoad,
  type LoadClient,
  type LoadSample,
  type LoadWindow,
} from '../support/load/steady-load.js';
import { runAsAdmin } from '../support/own-databases.js';
import { checkLedgersAfterwards } from '../support/ledgers-afterwards.js';
import type { EmbeddedCluster } from '../../src/sharding/cluster/embedded-cluster.js';

const READERS_PER_SHARD = 11;
const WRITERS_PER_SHARD = 5;
const PAUSE_MS = 75;
/** Reads of the other shard whose latencies are compared: some four seconds of load. */
const WINDOW_READS = 500;
/**
 * `npm run test:latency` runs this file alone. Beside other tests latencies say more about those than about the
 * gateway: there it is only looked at that nobody waits for what is away.
 */
const IS_ALONE = process.env.SHARDGATE_TEST_ALONE === '1';
/** Reads of the other shard before the loss: what the latencies during it are compared with, where they are. */
const READS_BEFORE = IS_ALONE ? WINDOW_READS : WINDOW_READS / 10;
/** Within this a node that hangs is given up, and a shard that is away says so. */
const DEADLINE_MS = IS_ALONE ? 5_000 : 15_000;
/** A latency may rise by so much without any reason. */
const NOISE_MS = 50;

let cluster: EmbeddedCluster;
let bank: Bank;
let clients: LoadClient[];
/** Read by the load, and written by nobody since its opening. */
let quiet: BankAccount;

beforeAll(async () => {
  cluster = await startOwnCluster();
  checkLedgersAfterwards(cluster.config);
  const gateway = await GatewayProcess.start({ config: cluster.config, env: { LOG_LEVEL: 'warn' } });
  bank = await Bank.found(gateway, 'bank');
  clients = [];
  for (const shardId of ['s0', 's1']) {
    for (let index = 0; index < READERS_PER_SHARD; index += 1) {
      const account = await bank.openOn(shardId);
      if (shardId === 's0') quiet = account;
      clients.push(reader(bank, account, `read ${shardId}`));
    }
    for (let index = 0; index < WRITERS_PER_SHARD; index += 1) {
      clients.push(writer(bank, await bank.openOn(shardId), `write ${shardId}`));
    }
  }
}, 90_000);

/** Waits until a replica answers what its user has just opened, or reads again: the shard is as it should be. */
async function replicaAnswers({ id, userId }: BankAccount): Promise<void> {
  await eventually('a replica answers', async () => {
    const headers = { 'cache-control': 'no-cache' };
    const answer = await bank.client.get(`/v1/accounts/${id}`, { userId, headers });
    if (answer.status !== 200) throw new Error(answer.text);
    return answer.headers.get('x-shardgate-source') === 'replica';
  });
}

function faultsOf(samples: readonly LoadSample[], ...labels: string[]): string[] {
  return samples
    .filter(({ label, fault }) => labels.includes(label) && fault !== undefined)
    .map(({ label, status, fault }) => `${label}: ${status} ${fault ?? ''}`);
}

const EVERYTHING = ['read s0', 'write s0', 'read s1', 'write s1'];

describe('under load, a replica', () => {
  it('that is killed makes no request fail', async () => {
    await replicaAnswers(quiet);
    const load = SteadyLoad.start(clients, PAUSE_MS);
    await load.window('read s0', WINDOW_READS / 2);
    await cluster.kill('s0.r1');
    await load.window('read s0', WINDOW_READS / 2);
    await replicaAnswers(quiet);
    await cluster.kill('s0.r1');
    await cluster.hold('s0.r1');
    await load.window('read s0', WINDOW_READS / 2);
    await cluster.release('s0.r1');
    await replicaAnswers(quiet);
    const samples = await load.stop();
    expect(faultsOf(samples, ...EVERYTHING)).toEqual([]);
  }, 120_000);

  it('that hangs for seconds and goes on makes no request fail', async () => {
    await replicaAnswers(quiet);
    const load = SteadyLoad.start(clients, PAUSE_MS);
    await load.window('read s0', WINDOW_READS / 2);
    await cluster.kill('s0.r1', 'SIGSTOP');
    try {
      await load.window('read s0', WINDOW_READS);
    } finally {
      await cluster.kill('s0.r1', 'SIGCONT');
    }
    await replicaAnswers(quiet);
    const samples = await load.stop();
    expect(faultsOf(samples, ...EVERYTHING)).toEqual([]);
    // They were answered elsewhere, and did not wait for it to go on.
    expect(Math.max(...samples.map(({ durationMs }) => durationMs))).toBeLessThan(DEADLINE_MS);
  }, 120_000);
});

/** Two ways to lose the primary of s0, and to get it back. */
const LOSSES = [
  {
    how: 'is killed',
    lose: async () => {
      await cluster.kill('s0');
      await cluster.hold('s0');
    },
    giveBack: () => cluster.release('s0'),
  },
  {
    how: 'hangs',
    lose: () => cluster.kill('s0', 'SIGSTOP'),
    giveBack: () => cluster.kill('s0', 'SIGCONT'),
  },
];

interface Refusal {
  readonly fault: string | undefined;
  readonly durationMs: number;
}

/** Reads an account while its primary is away. */
async function readStrictly(
  { id }: BankAccount,
  request: { token?: string; userId?: string },
): Promise<Refusal> {
  const startedAt = performance.now();
  const answer = await bank.client.get(`/v1/accounts/${id}`, request);
  return { fault: judge(answer, () => true).fault, durationMs: performance.now() - startedAt };
}

/** An account with a write that no replica has replayed, and that write's token. */
async function unreplayedWrite(): Promise<{ account: BankAccount; token: string }> {
  const account = await bank.openOn('s0');
  await replicaAnswers(account);
  const replica = replicaAdminUrl(cluster, 's0.r1');
  await runAsAdmin(replica, 'SELECT pg_wal_replay_pause()');
  await eventually('replay has paused', async () => {
    const { rows } = await runAsAdmin(replica, 'SELECT pg_get_wal_replay_pause_state() AS state');
    return (rows as { state: string }[])[0]?.state === 'paused';
  });
  const path = `/v1/accounts/${account.id}/deposits`;
  const answer = await bank.client.post(path, { amount: '1' }, { userId: account.userId });
  return { account, token: answer.headers.get('x-consistency-token') ?? '' };
}

describe('under load, a primary that', () => {
  it.each(LOSSES)(
    '$how leaves its replica’s reads going, refuses writes and strict reads in time, and is unnoticed by the other shard',
    async ({ lose, giveBack }) => {
      const { account, token } = await unreplayedWrite();
      const load = SteadyLoad.start(clients, PAUSE_MS);
      await load.window('read s1', WINDOW_READS / 5);
      const before = await load.window('read s1', READS_BEFORE);
      const lostAtMs = performance.now();
      await lose();
      let during: LoadWindow;
      const strict: Promise<Refusal>[] = [];
      try {
        strict.push(readStrictly(account, { token }), readStrictly(account, { userId: account.userId }));
        during = await load.window('read s1', WINDOW_READS);
        strict.push(readStrictly(account, { token }), readStrictly(account, { userId: account.userId }));
        await Promise.all(strict);
      } finally {
        await giveBack();
        await runAsAdmin(replicaAdminUrl(cluster, 's0.r1'), 'SELECT pg_wal_replay_resume()');
      }
      const writes = writer(bank, account, '');
      await eventually('writes are back', async () => (await writes.send(0)).fault === undefined);
      await eventually('the strict read is back', async () => {
        return (await readStrictly(account, { token })).fault === undefined;
      });
      const backAtMs = performance.now();
      await load.window('write s0', WRITERS_PER_SHARD * 10);
      const samples = await load.stop();

      expect(faultsOf(samples, 'read s0', 'read s1', 'write s1')).toEqual([]);
      const refusals = await Promise.all(strict);
      expect(refusals.map(({ fault }) => fault)).toEqual(refusals.map(() => 'shard_unavailable'));
      expect(Math.max(...refusals.map(({ durationMs }) => durationMs))).toBeLessThan(DEADLINE_MS);
      const refused = samples.filter(({ label, fault }) => label === 'write s0' && fault !== undefined);
      expect(new Set(refused.map(({ status, fault }) => `${status} ${fault ?? ''}`))).toEqual(
        new Set(['503 shard_unavailable']),
      );
      expect(Math.max(...refused.map(({ durationMs }) => durationMs))).toBeLessThan(DEADLINE_MS);
      const late = refused.filter(({ startedAtMs }) => startedAtMs > backAtMs);
      const early = refused.filter(({ startedAtMs, durationMs }) => startedAtMs + durationMs < lostAtMs);
      expect([...early, ...late]).toEqual([]);

      const ofOther = samples.filter(({ label }) => label === 'read s1');
      expect(Math.max(...ofOther.map(({ durationMs }) => durationMs))).toBeLessThan(DEADLINE_MS);
      if (!IS_ALONE) return;
      const p99Before = percentileMs(ofOther, before, 0.99);
      const p99During = percentileMs(ofOther, during, 0.99);
      expect(p99During).toBeLessThanOrEqual(Math.max(2 * p99Before, p99Before + NOISE_MS));
    },
    180_000,
  );
});
