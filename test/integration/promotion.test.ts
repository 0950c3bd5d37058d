import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Decimal } from 'decimal.js';
import { SILENT_LOG } from '../../src/common/log.js';
import { resolveGatewayOptions } from '../../src/gateway/gateway-options.js';
import { GatewayRuntime } from '../../src/gateway/gateway-runtime.js';
import { GatewayContext } from '../../src/index.js';
import type { ClusterConfig } from '../../src/sharding/cluster/cluster-config.js';
import type { EmbeddedCluster } from '../../src/sharding/cluster/embedded-cluster.js';
import { decodeTokens, encodeToken } from '../../src/sharding/replication/consistency-token.js';
import { CreateBilling1763800000100, Invoice, InvoiceLine } from '../support/billing.js';
import { startOwnCluster } from '../support/cluster.js';
import { eventually } from '../support/eventually.js';
import { replicaAdminUrl } from '../support/load/held-replicas.js';
import { runAsAdmin } from '../support/own-databases.js';

const SCOPE = { tenantId: 'acme', userId: 'alice', actor: 'test' };

interface Written {
  readonly id: string;
  readonly token: string;
}

let cluster: EmbeddedCluster;
/** The gateway after the promotion, on its new primary and the replica that follows that one. */
let runtime: GatewayRuntime;
const running: GatewayRuntime[] = [];
/** Written and replicated before the promotion. */
let old: Written;

async function startGateway(config: ClusterConfig): Promise<GatewayRuntime> {
  const started = await GatewayRuntime.start(
    resolveGatewayOptions({
      ...config,
      entities: [Invoice, InvoiceLine],
      migrations: [CreateBilling1763800000100],
    }),
    { log: SILENT_LOG },
  );
  running.push(started);
  return started;
}

function write({ gateway }: GatewayRuntime): Promise<Written> {
  return GatewayContext.run(SCOPE, async () => {
    const number = gateway.mintId(SCOPE.userId);
    const { id } = await gateway.repository(Invoice).save({ number, total: new Decimal(1) });
    return { id, token: encodeToken(GatewayContext.trace()?.written ?? []) };
  });
}

/** A read of the tenant's service, which wrote nothing itself: only the token says what it must see. */
function readWith(token: string | undefined, ...ids: string[]) {
  return GatewayContext.run({ tenantId: SCOPE.tenantId, actor: 'test' }, async () => {
    if (token !== undefined) GatewayContext.trace()?.requirePositions(decodeTokens(token));
    const invoices = runtime.gateway.repository(Invoice);
    const rows = await Promise.all(ids.map((id) => invoices.findById(id)));
    return { ids: rows.map((row) => row?.id), source: GatewayContext.trace()?.source };
  });
}

function timelinesOf(token: string): number[] {
  return decodeTokens(token).map(({ timeline }) => timeline);
}

async function ask<Row>(url: string, sql: string): Promise<Row | undefined> {
  return ((await runAsAdmin(url, sql)).rows as Row[])[0];
}

/**
 * A replica tells the timeline of its last restart point, which follows a checkpoint of its primary within five
 * minutes; until then tokens of the new timeline lead to the primary. This has it happen at once.
 */
async function tellTimelineNow(primaryUrl: string, replicaUrl: string): Promise<void> {
  await eventually('the replica is on the new timeline', async () => {
    await runAsAdmin(primaryUrl, 'CHECKPOINT');
    await runAsAdmin(replicaUrl, 'CHECKPOINT');
    const sql = 'SELECT timeline_id AS timeline FROM pg_control_checkpoint()';
    return (await ask<{ timeline: number }>(replicaUrl, sql))?.timeline === 2;
  });
}

/** Promotes the first replica and lets the second follow it. */
async function failOver(): Promise<ClusterConfig> {
  const [shard] = cluster.config.shards;
  const [promoted, follower] = shard!.replicas;
  const [promotedUrl, followerUrl] = [promoted!.id, follower!.id].map((id) => replicaAdminUrl(cluster, id));
  const { lsn } = (await ask<{ lsn: string }>(
    shard!.primary.adminUrl,
    'SELECT pg_current_wal_lsn() AS lsn',
  ))!;
  for (const url of [promotedUrl!, followerUrl!]) {
    await eventually('the replica has replayed everything', async () => {
      return (await ask<{ has: boolean }>(url, `SELECT pg_last_wal_replay_lsn() >= '${lsn}' AS has`))?.has;
    });
  }
  await cluster.kill(shard!.id);
  await cluster.hold(shard!.id);
  await runAsAdmin(promotedUrl!, 'SELECT pg_promote()');
  const { conninfo } = (await ask<{ conninfo: string }>(
    followerUrl!,
    `SELECT current_setting('primary_conninfo') AS conninfo`,
  ))!;
  const { port } = new URL(promotedUrl!);
  await cluster.setConfig(follower!.id, {
    primary_conninfo: conninfo.replace(/port=\d+/, `port=${port}`),
  });
  await tellTimelineNow(promotedUrl!, followerUrl!);
  return {
    catalog: cluster.config.catalog,
    shards: [
      {
        id: shard!.id,
        primary: { ...shard!.primary, url: promoted!.url, adminUrl: promotedUrl! },
        replicas: [follower!],
      },
    ],
  };
}

beforeAll(async () => {
  cluster = await startOwnCluster({ shards: 1, replicas: 2 });
  const before = await startGateway(cluster.config);
  old = await write(before);
  const config = await failOver();
  runtime = await startGateway(config);
}, 90_000);

afterAll(async () => {
  await Promise.all(running.map((started) => started.close()));
});

describe('after a replica was promoted', () => {
  it('a token of before is honoured by the new primary', async () => {
    expect(timelinesOf(old.token)).toEqual([1]);
    expect(await readWith(old.token, old.id)).toEqual({ ids: [old.id], source: 'primary' });
  });

  it('a token of a write that no replica had received is answered by the new primary too', async () => {
    const lost = encodeToken([{ shardId: 's0', timeline: 1, lsn: 1n << 60n }]);
    expect(await readWith(lost, old.id)).toEqual({ ids: [old.id], source: 'primary' });
  });

  it('a write gives a token of the new timeline, which joins with those of before', async () => {
    const written = await write(runtime);
    expect(timelinesOf(written.token)).toEqual([2]);
    expect((await readWith(written.token, written.id)).ids).toEqual([written.id]);
    for (const joined of [`${old.token},${written.token}`, `${written.token},${old.token}`]) {
      expect((await readWith(joined, old.id, written.id)).ids).toEqual([old.id, written.id]);
    }
  });

  it('the replica that follows the new primary answers, also with tokens of the new timeline', async () => {
    const written = await write(runtime);
    const fromReplica = (token: string | undefined) =>
      eventually('the replica answers', async () => {
        const read = await readWith(token, written.id);
        return read.source === 'replica' && read.ids[0] !== undefined && read;
      });
    expect(await fromReplica(undefined)).toEqual({ ids: [written.id], source: 'replica' });
    expect(await fromReplica(written.token)).toEqual({ ids: [written.id], source: 'replica' });
    // It is on the new timeline for good: what a token of the old one asks for is the primary's to answer.
    expect(await readWith(old.token, old.id)).toEqual({ ids: [old.id], source: 'primary' });
  }, 60_000);
});
