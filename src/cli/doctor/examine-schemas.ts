import { GatewayError } from '../../common/gateway-error.js';
import { gatewayRoleOf } from '../../gateway/gateway-role.js';
import type { ResolvedGatewayOptions } from '../../gateway/gateway-options.js';
import { findDrift, type ShardDrift } from '../../sharding/migrations/drift.js';
import { inspectShard, type ShardInspection } from '../../sharding/migrations/inspect-shard.js';
import { offlineShardPlan } from '../offline-shard-plan.js';
import type { Finding } from './finding.js';

/** Of a schema that differs much, the first lines tell enough. */
const DRIFT_LINES_MAX = 5;
const MIGRATE = 'run shardgate migrate';

/** Compares every shard's schema with what this release expects, and with the other shards'. Changes nothing. */
export async function examineSchemas(options: ResolvedGatewayOptions): Promise<Finding[]> {
  const plan = await offlineShardPlan(options);
  const lines = new Map<string, readonly string[]>();
  const findings: Finding[] = [];
  const installations = new Set<string>();
  for (const { id, primary } of options.shards) {
    try {
      const target = { shardId: id, url: primary.url, gatewayRole: gatewayRoleOf(primary.url) };
      const inspection = await inspectShard(target, plan);
      if (inspection.installation !== undefined) {
        installations.add(inspection.installation.installationId);
        lines.set(id, inspection.lines);
      }
      findings.push(...judgeInspection(id, inspection));
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error;
      findings.push({ level: 'error', where: id, what: error.message, fix: 'see above, then run it again' });
    }
  }
  if (installations.size > 1) {
    const what = 'they belong to different installations';
    findings.push({ level: 'error', where: 'shards', what, fix: 'correct the urls' });
  }
  return [...findings, ...findDrift(lines).map(driftFinding)];
}

/** What is wrong with one shard's schema, taken by itself. */
function judgeInspection(shardId: string, inspection: ShardInspection): Finding[] {
  const { installation, pending, unknown, unprotected } = inspection;
  const finding = (level: Finding['level'], what: string, fix: string): Finding => {
    return { level, where: shardId, what, fix };
  };
  if (installation === undefined) return [finding('error', 'it was never migrated', MIGRATE)];
  return [
    ...(installation.shardId === shardId
      ? []
      : [finding('error', `its database is that of shard ${installation.shardId}`, 'correct its url')]),
    ...pending.map((name) => finding('error', `migration ${name} is pending`, MIGRATE)),
    ...unknown.map((name) =>
      finding('warning', `migration ${name} is of a later release`, 'run that release here as well'),
    ),
    ...unprotected.map((table) => finding('error', `row-level security does not hold: ${table}`, MIGRATE)),
  ];
}

function driftFinding({ shardId, missing, unexpected }: ShardDrift): Finding {
  const lines = [...missing.map((line) => `lacks ${line}`), ...unexpected.map((line) => `has ${line}`)];
  const more = lines.length - DRIFT_LINES_MAX;
  const shown = lines.slice(0, DRIFT_LINES_MAX).join('; ');
  return {
    level: 'error',
    where: shardId,
    what: `its schema differs from the other shards': ${shown}${more > 0 ? `; and ${more} more` : ''}`,
    fix: 'undo by hand what was changed by hand, so that all shards are alike',
  };
}
