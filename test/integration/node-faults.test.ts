import { afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { resolveGatewayOptions } from '../../src/gateway/gateway-options.js';
import type { EmbeddedCluster } from '../../src/sharding/cluster/embedded-cluster.js';
import type { DatabaseNode } from '../../src/sharding/connections/database-node.js';
import { isConnectionFailure } from '../../src/sharding/connections/failure.js';
import { NodeDirectory, type ShardAddress } from '../../src/sharding/connections/node-directory.js';
import type { NodeStatus } from '../../src/sharding/replication/node-status.js';
import { ReplicationMonitor } from '../../src/sharding/replication/replication-monitor.js';
import {
  REPLICATION_DEFAULTS,
  type ReplicationOptions,
} from '../../src/sharding/replication/replication-options.js';
import { SILENT_LOG } from '../../src/common/log.js';
import { startOwnCluster } from '../support/cluster.js';
import { eventually } from '../support/eventually.js';
import { runAsAdmin } from '../support/own-databases.js';
import { TEST_TLS } from '../support/tls-files.js';

let cluster: EmbeddedCluster;
const watching: Watch[] = [];

/** The nodes of some shards and the monitor that watches them. */
class Watch {
  readonly warnings: object[] = [];
  readonly nodes: NodeDirectory;
  readonly monitor: ReplicationMonitor;

  private constructor(nodes: NodeDirectory, options: Partial<ReplicationOptions>) {
    const log = { ...SILENT_LOG, warn: (fields: object) => void this.warnings.push(fields) };
    this.nodes = nodes;
    this.monitor = new ReplicationMonitor(nodes, { ...REPLICATION_DEFAULTS, ...options }, log);
  }

  static async start(
    options: Partial<ReplicationOptions> = {},
    shards: readonly ShardAddress[] = cluster.config.shards,
  ): Promise<Watch> {
    const { pool } = resolveGatewayOptions({ ...cluster.config, pool: { size: 1, overflow: 0 } });
    const watch = new Watch(await NodeDirectory.create(shards, pool, [], SILENT_LOG), options);
    watching.push(watch);
    await watch.monitor.start();
    return watch;
  }

  node(id: string): DatabaseNode {
    return this.nodes.all().find((node) => node.id === id)!;
  }

  async has(id: string, reason: NodeStatus['reason']): Promise<NodeStatus> {
    return eventually(`${id} is out because: ${reason ?? 'it is not'}`, () => {
      const status = this.monitor.status(id);
      return status.reason === reason && status;
    });
  }

  /** A statement that has reached the node and keeps its only connection busy. A server does not notice that it was cut. */
  async busy(id: string, seconds: number): Promise<{ answer: Promise<unknown> }> {
    const answer = this.node(id).query(`SELECT pg_sleep(${seconds})`);
    answer.catch(() => undefined);
    await eventually('the statement runs', async () => {
      const { rows } = await runAsAdmin(
        adminUrl(id),
        `SELECT 1 FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(${seconds})' AND state = 'active'`,
      );
      return rows.length > 0;
    });
    return { answer };
  }

  async close(): Promise<void> {
    await this.monitor.stop();
    for (const node of this.nodes.all()) node.cut();
    await this.nodes.close();
  }
}

/** A replica has its primary's roles; only the port differs. */
function adminUrl(nodeId: string): string {
  const [shardId] = nodeId.split('.');
  const shard = cluster.config.shards.find(({ id }) => id === shardId)!;
  const url = new URL(shard.primary.adminUrl);
  const replica = shard.replicas.find(({ id }) => id === nodeId);
  if (replica !== undefined) url.port = new URL(replica.url).port;
  return url.href;
}

/** Writes this many bytes of log, and nothing else. */
async function writeLog(shardId: string, bytes: number): Promise<void> {
  await runAsAdmin(adminUrl(shardId), `SELECT pg_logical_emit_message(true, 'test', repeat('x', ${bytes}))`);
}

beforeAll(async () => {
  cluster = await startOwnCluster({ replicas: 2, tls: TEST_TLS });
}, 60_000);

afterEach(async () => {
  await Promise.all(watching.splice(0).map((watch) => watch.close()));
});

describe('a node that hangs', () => {
  it('is out when its deadline has passed, what waits for it fails, and it is back by itself', async () => {
    const watch = await Watch.start();
    expect(watch.monitor.pickReplica('s0', undefined, new Set(['s0.r2']))?.id).toBe('s0.r1');
    const { answer } = await watch.busy('s0.r1', 3_600);
    const waiting = watch.node('s0.r1').query('SELECT 1');
    await cluster.kill('s0.r1', 'SIGSTOP');
    expect(isConnectionFailure(await answer.catch((error: unknown) => error))).toBe(true);
    expect(isConnectionFailure(await waiting.catch((error: unknown) => error))).toBe(true);
    expect(watch.monitor.status('s0.r1')).toMatchObject({ state: 'down', reason: 'does not answer' });
    expect(watch.monitor.pickReplica('s0', undefined, new Set(['s0.r2']))).toBeUndefined();
    expect(watch.warnings).toEqual([{ node: 's0.r1', reason: 'does not answer' }]);
    await cluster.kill('s0.r1', 'SIGCONT');
    await watch.has('s0.r1', undefined);
    await expect(watch.node('s0.r1').query('SELECT 1 AS one')).resolves.toEqual([{ one: 1 }]);
  });

  it('is out also when only its main process hangs, which serves old connections and takes no new one', async () => {
    const watch = await Watch.start();
    const { pid } = cluster.nodes().find(({ id }) => id === 's0.r2')!;
    await watch.node('s0.r2').query('SELECT 1');
    process.kill(pid!, 'SIGSTOP');
    try {
      await expect(watch.node('s0.r2').query('SELECT 1 AS one')).resolves.toEqual([{ one: 1 }]);
      await watch.has('s0.r2', 'does not answer');
    } finally {
      process.kill(pid!, 'SIGCONT');
    }
    await watch.has('s0.r2', undefined);
  });

  it('at the start delays it by the deadline, and is used when it goes on', async () => {
    await cluster.kill('s0.r1', 'SIGSTOP');
    const watch = await Watch.start({ unresponsiveMs: 300 });
    expect(watch.monitor.status('s0.r1').reason).toBe('does not answer');
    expect(watch.monitor.isHealthy('s0.r2')).toBe(true);
    await cluster.kill('s0.r1', 'SIGCONT');
    await watch.has('s0.r1', undefined);
  });

  it('is none that this process was too busy to hear', async () => {
    const watch = await Watch.start({ pollMs: 1, unresponsiveMs: 200 });
    for (let round = 0; round < 5; round += 1) {
      const { lsn } = watch.monitor.status('s0');
      await writeLog('s0', 10);
      const until = performance.now() + 600;
      while (performance.now() < until);
      await eventually('the poll goes on', () => watch.monitor.status('s0').lsn > lsn);
    }
    expect(watch.warnings).toEqual([]);
  });

  it('is none whose pool is full', async () => {
    const watch = await Watch.start();
    const { answer } = await watch.busy('s0.r1', 3_601);
    await writeLog('s0', 10);
    const { lsn } = await watch.monitor.currentPosition('s0');
    await eventually('the poll sees what was written', () => watch.monitor.status('s0.r1').lsn >= lsn);
    expect(watch.warnings).toEqual([]);
    watch.node('s0.r1').cut();
    await expect(answer).rejects.toThrow('Connection terminated');
  });

  it('is none whose connection of the poll an administrator ended', async () => {
    const watch = await Watch.start();
    const { answer } = await watch.busy('s0.r1', 2);
    await runAsAdmin(
      adminUrl('s0.r1'),
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'shardgate-probe'`,
    );
    await expect(answer).resolves.toHaveLength(1);
    await watch.has('s0.r1', undefined);
    expect(watch.warnings).toEqual([]);
  });
});

describe('a node that takes no more connections', () => {
  const limitConnections = async (limit: number): Promise<void> => {
    const role = new URL(cluster.config.shards[0]!.primary.url).username;
    await runAsAdmin(adminUrl('s0'), `ALTER ROLE ${role} CONNECTION LIMIT ${limit}`);
    await eventually('the replica knows the limit', async () => {
      const sql = `SELECT 1 FROM pg_roles WHERE rolname = '${role}' AND rolconnlimit = ${limit}`;
      return (await runAsAdmin(adminUrl('s0.r1'), sql)).rows.length === 1;
    });
  };

  it('stays in use while the poll’s own connection works, and is not cut off when it does not', async () => {
    const watch = await Watch.start();
    const { answer } = await watch.busy('s0.r1', 3_602);
    await limitConnections(0);
    try {
      watch.monitor.noteFailure('s0.r1');
      await watch.has('s0.r1', undefined);
      await runAsAdmin(
        adminUrl('s0.r1'),
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'shardgate-probe'`,
      );
      await watch.has('s0.r1', 'in doubt');
    } finally {
      await limitConnections(-1);
    }
    await watch.has('s0.r1', undefined);
    expect(watch.warnings).toEqual([]);
    const running = `SELECT 1 FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(3602)' AND state = 'active'`;
    expect((await runAsAdmin(adminUrl('s0.r1'), running)).rows).toHaveLength(1);
    watch.node('s0.r1').cut();
    await expect(answer).rejects.toThrow('Connection terminated');
  });
});

describe('a node that is gone', () => {
  it.each(['s0', 's0.r1'])(
    'as %s is out at once, the others are not, and it is back by itself',
    async (id) => {
      const watch = await Watch.start();
      await cluster.hold(id);
      await watch.has(id, 'cannot be reached');
      for (const other of ['s0', 's0.r1', 's0.r2', 's1'].filter((node) => node !== id)) {
        expect(watch.monitor.status(other)).toMatchObject({ state: 'up', reason: undefined });
      }
      await cluster.release(id);
      await watch.has(id, undefined);
    },
  );

  it('as a statement found out is out until it has answered the poll', async () => {
    const watch = await Watch.start();
    watch.monitor.noteFailure('s0.r1');
    expect(watch.monitor.isHealthy('s0.r1')).toBe(false);
    await watch.has('s0.r1', undefined);
    expect(watch.warnings).toEqual([]);
  });

  it('as reads find out three times in a row, though the poll reaches it, is left out for a while', async () => {
    const watch = await Watch.start();
    for (const reason of [undefined, undefined, 'breaker open'] as const) {
      watch.monitor.noteFailure('s0.r1');
      await watch.has('s0.r1', reason);
    }
    await watch.has('s0.r1', undefined);
    watch.monitor.noteSuccess('s0.r1');
    watch.monitor.noteFailure('s0.r1');
    await watch.has('s0.r1', undefined);
    expect(watch.warnings).toEqual([{ node: 's0.r1', reason: 'breaker open' }]);
  });
});

describe('a replica that lags', () => {
  it('is out beyond the limit of bytes, and back when it has caught up', async () => {
    const watch = await Watch.start({ maxLagBytes: 100_000 });
    await runAsAdmin(adminUrl('s0.r1'), 'SELECT pg_wal_replay_pause()');
    await writeLog('s0', 50_000);
    await eventually('the lag is seen', () => (watch.monitor.status('s0.r1').lagBytes ?? 0) > 50_000);
    expect(watch.monitor.isHealthy('s0.r1')).toBe(true);
    await writeLog('s0', 60_000);
    const { state, lagMs } = await watch.has('s0.r1', 'lagging');
    expect(state).toBe('up');
    expect(lagMs).toBeGreaterThan(0);
    expect(watch.monitor.isHealthy('s0.r2')).toBe(true);
    await runAsAdmin(adminUrl('s0.r1'), 'SELECT pg_wal_replay_resume()');
    await watch.has('s0.r1', undefined);
    await eventually('it has caught up', () => watch.monitor.status('s0.r1').lagBytes === 0);
    expect(watch.monitor.status('s0.r1').lagMs).toBe(0);
  });

  it('is out beyond the limit of time, though it has replayed all that it received', async () => {
    const watch = await Watch.start({ maxLagMs: 500 });
    await cluster.setConfig('s1.r1', { primary_conninfo: 'host=127.0.0.1 port=1' });
    await eventually('it follows nobody', async () => {
      const { rows } = await runAsAdmin(adminUrl('s1.r1'), 'SELECT 1 FROM pg_stat_wal_receiver');
      return rows.length === 0;
    });
    await writeLog('s1', 10);
    await watch.has('s1.r1', 'lagging');
    const { lagMs } = watch.monitor.status('s1.r1');
    await eventually('its lag grows', () => (watch.monitor.status('s1.r1').lagMs ?? 0) > (lagMs ?? 0));
    expect(watch.monitor.status('s1.r1').lagBytes).toBeLessThan(10_000);
    expect(watch.monitor.isHealthy('s1.r2')).toBe(true);
  });
});

describe('a replica that is promoted', () => {
  it('behind the gateway’s back is out; as the new primary it honours what was written before', async () => {
    const watch = await Watch.start();
    await writeLog('s1', 10);
    const before = await watch.monitor.currentPosition('s1');
    await eventually('s1.r2 has it', () => watch.monitor.status('s1.r2').lsn >= before.lsn);
    await runAsAdmin(adminUrl('s1.r2'), 'SELECT pg_promote()');
    const { state } = await watch.has('s1.r2', 'not a replica any more');
    expect(state).toBe('down');

    const { replicas } = cluster.config.shards.find(({ id }) => id === 's1')!;
    const [follower, promoted] = replicas;
    const after = await Watch.start({}, [{ id: 's1', primary: promoted!, replicas: [follower!] }]);
    const position = await after.monitor.currentPosition('s1');
    expect(position.timeline).toBe(before.timeline + 1);
    expect(position.lsn).toBeGreaterThanOrEqual(before.lsn);
    // The other replica stayed with the old primary: it shows nothing of the new one.
    await after.has('s1.r1', 'on another timeline');
    expect(after.monitor.pickReplica('s1', before)).toBeUndefined();
  });

  it('in the place of a primary, a server that still follows another is down', async () => {
    const { replicas } = cluster.config.shards.find(({ id }) => id === 's0')!;
    const watch = await Watch.start({}, [{ id: 's0', primary: replicas[0]!, replicas: [] }]);
    expect(watch.monitor.status('s0')).toMatchObject({ state: 'down', reason: 'is a standby' });
    await expect(watch.monitor.currentPosition('s0')).rejects.toMatchObject({ code: 'shard_unavailable' });
  });
});
