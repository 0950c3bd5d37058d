import { escapeIdentifier } from 'pg';
import type { QueryRunner } from 'typeorm';
import { ConfigurationError } from '../../common/gateway-error.js';
import type { SqlExecutor } from '../../common/sql-executor.js';
import { migrationFailure } from './migration-failure.js';
import type { MigrationTarget, ProtectedTable } from './migration-plan.js';
import { nameOf } from './table-names.js';
import { planProtection, type ProtectionPlan } from './table-protection.js';
import { readTableState } from './table-state.js';

/** A login that owns the tables, or may act as their owner, could switch row-level security off. */
const GATEWAY_ROLE_SQL = `
  select rolsuper or rolbypassrls as "bypassesRowSecurity", pg_has_role(oid, current_user, 'member') as "ownsSchema"
  from pg_roles where rolname = $1
`;

/**
 * The policies' expressions are bound to what they name when they are made, and come out qualified where a
 * name is not the server's own: with another search path, others' functions could be meant.
 */
const SAFE_SEARCH_PATH_SQL = `set search_path = ''`;

/**
 * Makes sure that the gateway's login exists and that row-level security binds it, then lets it see which
 * installation and which migrations it works on.
 *
 * @throws ConfigurationError when the role is missing, stands above row-level security, or is named like a tenant's
 */
export async function grantInspection(sql: SqlExecutor, target: MigrationTarget): Promise<void> {
  const { gatewayRole, shardId } = target;
  const role = escapeIdentifier(gatewayRole);
  const [state] = await sql.query<{ bypassesRowSecurity: boolean; ownsSchema: boolean }>(GATEWAY_ROLE_SQL, [
    gatewayRole,
  ]);
  if (state === undefined) {
    throw new ConfigurationError(
      `The login ${gatewayRole} of the gateway's url is missing on ${shardId}; create it: create role ${role} login password '…';`,
    );
  }
  if (state.bypassesRowSecurity || state.ownsSchema) {
    throw new ConfigurationError(
      `The login ${gatewayRole} of the gateway's url stands above row-level security on ${shardId}; ` +
        'use a login of its own there that is no superuser, has no BYPASSRLS, and is not (nor a member of) the login of adminUrl.',
    );
  }
  // Policies would take it for a tenant's, and show it nothing.
  if (gatewayRole.startsWith('shardgate_t_')) {
    throw new ConfigurationError(
      `The login ${gatewayRole} of the gateway's url on ${shardId} is named like a tenant's login; ` +
        'use one whose name does not begin with shardgate_t_.',
    );
  }
  await sql.query(`grant usage on schema shardgate to ${role}`);
  await sql.query(`grant select on shardgate.installation, shardgate.migrations to ${role}`);
}

/**
 * Puts every listed table under row-level security, with its replica identity and the gateway's rights.
 * Does nothing, and locks nothing, where all is right already.
 * Leaves the session with an empty search path.
 *
 * @throws ConfigurationError listing every fault of every table; none of the tables is altered then
 */
export async function protectTables(
  queryRunner: QueryRunner,
  sql: SqlExecutor,
  target: MigrationTarget,
  tables: readonly ProtectedTable[],
): Promise<void> {
  await sql.query(SAFE_SEARCH_PATH_SQL);
  const planned = await planAll(sql, target.gatewayRole, tables);
  refuseFaults(target.shardId, planned);
  for (const { table, plan } of planned) {
    if (plan.statements.length > 0)
      await alterTable(queryRunner, sql, target.shardId, table, plan.statements);
  }
  const remaining = (await planAll(sql, target.gatewayRole, tables)).filter(
    ({ plan }) => plan.faults.length + plan.statements.length > 0,
  );
  if (remaining.length > 0) {
    const names = remaining.map(({ table }) => nameOf(table)).join(', ');
    throw new ConfigurationError(
      `The protection of ${names} on ${target.shardId} does not hold; look for rights that ` +
        `${target.gatewayRole} has through other roles, and take them away.`,
    );
  }
}

/**
 * The protected tables whose protection is not what it must be, each with the reason; for the gateway's own
 * login too.
 */
export async function findUnprotected(
  sql: SqlExecutor,
  gatewayRole: string,
  tables: readonly ProtectedTable[],
): Promise<string[]> {
  const planned = await planAll(sql, gatewayRole, tables);
  return planned.flatMap(({ table, plan }) => {
    if (plan.faults.length > 0) return [...plan.faults];
    return plan.statements.length > 0 ? [`${nameOf(table)} is not protected; run shardgate migrate.`] : [];
  });
}

interface PlannedTable {
  readonly table: ProtectedTable;
  readonly plan: ProtectionPlan;
}

async function planAll(
  sql: SqlExecutor,
  gatewayRole: string,
  tables: readonly ProtectedTable[],
): Promise<PlannedTable[]> {
  const names = new Set(tables.map(nameOf));
  const planned: PlannedTable[] = [];
  for (const table of tables) {
    const state = await readTableState(sql, table, gatewayRole);
    planned.push({ table, plan: planProtection(table, state, gatewayRole, names) });
  }
  return planned;
}

function refuseFaults(shardId: string, planned: readonly PlannedTable[]): void {
  const faults = planned.flatMap(({ plan }) => plan.faults);
  if (faults.length === 0) return;
  throw new ConfigurationError(
    `Tables on ${shardId} cannot be shared by tenants yet. Add a migration that sets this right:\n- ${faults.join('\n- ')}`,
  );
}

async function alterTable(
  queryRunner: QueryRunner,
  sql: SqlExecutor,
  shardId: string,
  table: ProtectedTable,
  statements: readonly string[],
): Promise<void> {
  await queryRunner.startTransaction();
  try {
    for (const statement of statements) await sql.query(statement);
    await queryRunner.commitTransaction();
  } catch (error) {
    if (queryRunner.isTransactionActive) await queryRunner.rollbackTransaction().catch(() => undefined);
    throw migrationFailure(shardId, `The protection of ${nameOf(table)}`, error);
  }
}
