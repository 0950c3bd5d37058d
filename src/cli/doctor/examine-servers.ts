import { SILENT_LOG } from '../../common/log.js';
import type { SqlExecutor } from '../../common/sql-executor.js';
import { CatalogDatabase } from '../../sharding/connections/catalog-database.js';
import { gatewayRoleOf } from '../../gateway/gateway-role.js';
import { connectionBudget } from '../../sharding/connections/connection-budget.js';
import { NodeDirectory } from '../../sharding/connections/node-directory.js';
import { isStrict, type ResolvedGatewayOptions } from '../../gateway/gateway-options.js';
import { SYSTEM_TABLES } from '../../sharding/migrations/system/system-tables.js';
import { nameOf } from '../../sharding/migrations/table-names.js';
import { offlineShardPlan } from '../offline-shard-plan.js';
import type { Finding } from './finding.js';
import { judgeLog, type LogNeeds } from './judge-log.js';
import { judgeServer, type ExpectedServer } from './judge-server.js';
import { judgeTenantLogins } from './judge-tenant-logins.js';
import { readLogFacts } from './log-facts.js';
import { readServerFacts, type ServerFacts } from './server-facts.js';
import { readTenantLoginFacts } from './tenant-login-facts.js';

/** Connections that a process has to the catalog: its pool, and the one that listens. */
const CATALOG_CONNECTIONS = 5;

/** What was found of one server; `facts` where it answered. */
interface Examination {
  readonly facts?: ServerFacts | undefined;
  readonly findings: readonly Finding[];
}

/** Asks every server of the configuration how it is set. Changes nothing. */
export async function examineServers(options: ResolvedGatewayOptions): Promise<Finding[]> {
  const catalog = new CatalogDatabase(options.catalog.url, options.pool, SILENT_LOG);
  const nodes = await NodeDirectory.create(options.shards, options.pool, [], SILENT_LOG);
  const neededBy = (nodeId: string): number => connectionBudget(nodeId, options.pool, 0).needed;
  const followed = await followedTables(options);
  const replicationUrls = new Map(options.shards.map(({ id, primary }) => [id, primary.replicationUrl]));
  const adminUrls = new Map(options.shards.map(({ id, primary }) => [id, primary.adminUrl]));
  try {
    const ofCatalog = examine(catalog, {
      id: 'catalog',
      role: 'catalog',
      neededConnections: CATALOG_CONNECTIONS * options.pool.processes,
    });
    const ofShards = nodes.shardIds.map(async (shardId): Promise<Finding[]> => {
      const primary = await examine(nodes.primary(shardId), {
        id: shardId,
        role: 'primary',
        neededConnections: neededBy(shardId),
      });
      const replicas = await Promise.all(
        nodes.replicas(shardId).map((replica) =>
          examine(replica, {
            id: replica.id,
            role: 'replica',
            neededConnections: neededBy(replica.id),
            primaryIdentifier: primary.facts?.systemIdentifier,
          }),
        ),
      );
      const logins =
        primary.facts === undefined
          ? []
          : await examineTenantLogins(nodes.primary(shardId), shardId, adminUrls.get(shardId));
      const replicationUrl = replicationUrls.get(shardId);
      const log =
        primary.facts === undefined || followed === undefined || replicationUrl === undefined
          ? []
          : await examineLog(nodes.primary(shardId), replicationUrl, {
              shardId,
              processes: options.pool.processes,
              tables: followed,
            });
      return [...[primary, ...replicas].flatMap(({ findings }) => findings), ...logins, ...log];
    });
    const [first, ...rest] = await Promise.all([ofCatalog.then(({ findings }) => findings), ...ofShards]);
    return [...first, ...rest.flat()];
  } finally {
    await nodes.close();
    await catalog.close();
  }
}

async function examineTenantLogins(
  server: SqlExecutor,
  shardId: string,
  adminUrl: string | undefined,
): Promise<Finding[]> {
  try {
    const facts = await readTenantLoginFacts(server, adminUrl === undefined ? null : gatewayRoleOf(adminUrl));
    return facts === undefined ? [] : judgeTenantLogins(facts, shardId);
  } catch {
    // What this login may not read, the examination of the schema names.
    return [];
  }
}

/** The tables that caches in strict mode follow; undefined where none does. */
async function followedTables(options: ResolvedGatewayOptions): Promise<string[] | undefined> {
  if (!isStrict(options.cache)) return undefined;
  const { protectedTables } = await offlineShardPlan(options);
  return protectedTables.filter((table) => !SYSTEM_TABLES.includes(table)).map(nameOf);
}

async function examineLog(server: SqlExecutor, replicationUrl: string, needs: LogNeeds): Promise<Finding[]> {
  const facts = await readLogFacts(server, replicationUrl);
  return facts === undefined ? [] : judgeLog(facts, needs);
}

async function examine(server: SqlExecutor, expected: ExpectedServer): Promise<Examination> {
  try {
    const facts = await readServerFacts(server);
    return facts === undefined ? { findings: [] } : { facts, findings: judgeServer(facts, expected) };
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? ` (${String(error.code)})` : '';
    const finding: Finding = {
      level: expected.role === 'replica' ? 'warning' : 'error',
      where: expected.id,
      what: `it does not answer the gateway's login${code}`,
      fix: 'see that it runs, that the url is right, and that pg_hba.conf lets this machine in',
    };
    return { findings: [finding] };
  }
}
