import { randomBytes } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Module, type INestApplicationContext, type NestApplicationOptions } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import pg from 'pg';
import { DataGateway, DataGatewayModule } from '../../src/index.js';
import { SILENT_LOG } from '../../src/common/log.js';
import { ServiceSettingsModule } from '../../src/modules/service-settings.module.js';
import { TransfersModule } from '../../src/modules/transfers/transfers.module.js';
import { TransfersService } from '../../src/modules/transfers/transfers.service.js';
import { SERVICE_SCHEMA } from '../../src/service-schema.js';
import { EmbeddedCluster } from '../../src/sharding/cluster/embedded-cluster.js';
import { BenchBank } from '../bank/bench-bank.js';
import { loadBank } from '../bank/load-bank.js';
import { untilReplayed } from './until-replayed.js';

const SHARDS = 2;
const REPLICAS = 1;

/** The gateway's pool per node, which is its default; every peer gets as many connections. */
const POOL = { size: 10, overflow: 5 };

/** Connections that a peer may open, as many as the gateway to one node. */
export const PEER_CONNECTIONS = POOL.size + POOL.overflow;

/** Longer than any run: what was put into the cache stays there until it is written. */
const CACHE = { ttlMs: 3_600_000 };

/** A failure is ours to report, and to clean up after. */
const APPLICATION_OPTIONS: Partial<NestApplicationOptions> = { logger: false, abortOnError: false };

/** The gateway, and what of the service's modules is measured. */
@Module({})
class BenchModule {}

/** What benchmarks run on: servers in a temporary directory, data in them, and a gateway as a caller has it. */
export class BenchSite {
  readonly bank: BenchBank;
  readonly gateway: DataGateway;
  readonly transfers: TransfersService;
  /** Of the servers, as they say it themselves. */
  readonly postgresVersion: string;
  /** What belongs into a report's settings. */
  readonly settings = { shards: SHARDS, replicas: REPLICAS, connections: PEER_CONNECTIONS };
  readonly #cluster: EmbeddedCluster;
  readonly #application: INestApplicationContext;

  private constructor(
    parts: Pick<BenchSite, 'bank' | 'postgresVersion'>,
    cluster: EmbeddedCluster,
    application: INestApplicationContext,
  ) {
    this.bank = parts.bank;
    this.postgresVersion = parts.postgresVersion;
    this.#cluster = cluster;
    this.#application = application;
    this.gateway = application.get(DataGateway);
    this.transfers = application.get(TransfersService);
  }

  /** Starts servers and gateway, loads the data, and waits until every replica has it. */
  static async open(tell: (progress: string) => void): Promise<BenchSite> {
    tell(`starting ${SHARDS} shards with ${REPLICAS} replica each`);
    const cluster = await EmbeddedCluster.start({
      dataDir: join(tmpdir(), `shardgate-bench-${process.pid}-${randomBytes(4).toString('hex')}`),
      shards: SHARDS,
      replicas: REPLICAS,
      disposable: true,
    });
    let application: INestApplicationContext | undefined;
    try {
      tell('starting the gateway');
      application = await NestFactory.createApplicationContext(
        {
          module: BenchModule,
          imports: [
            DataGatewayModule.forRoot({ ...cluster.config, ...SERVICE_SCHEMA, pool: POOL, cache: CACHE }),
            ServiceSettingsModule.with({ log: SILENT_LOG }),
            TransfersModule,
          ],
        },
        APPLICATION_OPTIONS,
      );
      tell('loading accounts and transactions');
      const bank = await loadedBank(cluster);
      return new BenchSite(
        { bank, postgresVersion: await serverVersion(cluster.config.catalog.adminUrl) },
        cluster,
        application,
      );
    } catch (error) {
      await application?.close();
      await cluster.stop();
      throw error;
    }
  }

  get shardIds(): string[] {
    return this.#cluster.config.shards.map(({ id }) => id);
  }

  /** How a peer that writes reaches the primary of a shard: as the superuser. */
  primaryAdminUrl(shardId: string): string {
    const shard = this.#cluster.config.shards.find(({ id }) => id === shardId);
    if (shard === undefined) throw new RangeError(`There is no shard ${shardId}.`);
    return shard.primary.adminUrl;
  }

  /** How a peer reaches the first replica of a shard: as the superuser, whom no row-level security slows down. */
  replicaAdminUrl(shardId: string): string {
    const [replicaUrl] = replicaAdminUrls(this.#cluster, shardId);
    if (replicaUrl === undefined) throw new RangeError(`Shard ${shardId} has no replica.`);
    return replicaUrl;
  }

  /** Ends the gateway, stops the servers and removes their data. */
  async close(): Promise<void> {
    await this.#application.close();
    await this.#cluster.stop();
  }
}

async function loadedBank(cluster: EmbeddedCluster): Promise<BenchBank> {
  const { shards } = cluster.config;
  const bank = await BenchBank.of(shards.map(({ id }) => id));
  for (const { id, primary } of shards) {
    await loadBank(bank, id, primary.adminUrl);
    await untilReplayed(primary.adminUrl, replicaAdminUrls(cluster, id));
  }
  return bank;
}

/** A replica has its primary's roles: only host and port differ. */
function replicaAdminUrls(cluster: EmbeddedCluster, shardId: string): string[] {
  return cluster.config.shards
    .filter(({ id }) => id === shardId)
    .flatMap(({ primary, replicas }) =>
      replicas.map(({ url }) => {
        const adminUrl = new URL(primary.adminUrl);
        adminUrl.host = new URL(url).host;
        return adminUrl.href;
      }),
    );
}

async function serverVersion(url: string): Promise<string> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const { rows } = await client.query<{ server_version: string }>('SHOW server_version');
    return rows[0]?.server_version ?? 'unknown';
  } finally {
    await client.end();
  }
}
