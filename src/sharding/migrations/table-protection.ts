import { escapeIdentifier } from 'pg';
import type { ProtectedTable, TablePrivilege } from './migration-plan.js';
import { tableFaults } from './table-faults.js';
import { identityOf, nameOf, quotedNameOf, sameColumns, TENANTS_ROLE } from './table-names.js';
import { policyStatements } from './table-policies.js';
import type { TableState } from './table-state.js';

/** What stands between a table and its protection. */
export interface ProtectionPlan {
  /** What a person must change, each naming table and object and showing how; nothing is altered while there is one. */
  readonly faults: readonly string[];
  /** What the migrator does by itself; empty for a table that is protected already. */
  readonly statements: readonly string[];
}

const BUCKET_CHECK_NAME = 'shardgate_bucket_range';
const DEFAULT_GRANTS: readonly TablePrivilege[] = ['SELECT', 'INSERT', 'UPDATE', 'DELETE'];

/**
 * Compares a table with what a protected table must be. Nothing is altered that is right already, because
 * ALTER TABLE locks the table against everybody.
 *
 * @param protectedNames the names (`schema.table`) of all protected tables: foreign keys between them must join the tenant
 */
export function planProtection(
  table: ProtectedTable,
  state: TableState | undefined,
  gatewayRole: string,
  protectedNames: ReadonlySet<string>,
): ProtectionPlan {
  if (state?.isTable !== true) {
    return {
      faults: [`${nameOf(table)} is not a table here; add a migration that creates it.`],
      statements: [],
    };
  }
  const faults = tableFaults(table, state, protectedNames);
  if (faults.length > 0) return { faults, statements: [] };
  return {
    faults,
    statements: [
      ...rowSecurityStatements(table, state, gatewayRole),
      ...identityStatements(table, state),
      ...roleStatements(table, state, gatewayRole),
    ],
  };
}

function rowSecurityStatements(table: ProtectedTable, state: TableState, gatewayRole: string): string[] {
  const statements: string[] = [];
  const name = quotedNameOf(table);
  if (!state.rowSecurity) statements.push(`alter table ${name} enable row level security`);
  // Without FORCE the owner, with whose rights views and functions run, would see everything.
  if (!state.forceRowSecurity) statements.push(`alter table ${name} force row level security`);
  return [...statements, ...policyStatements(table, state.policies, gatewayRole)];
}

/** Logical replication filtered by bucket needs the bucket in the replica identity. */
function identityStatements(table: ProtectedTable, state: TableState): string[] {
  const statements: string[] = [];
  const name = quotedNameOf(table);
  if (!state.checks.includes(BUCKET_CHECK_NAME)) {
    // -1 marks a row that belongs to its shard and never moves.
    statements.push(
      `alter table ${name} add constraint ${BUCKET_CHECK_NAME} check (bucket between -1 and 4095)`,
    );
  }
  const identity = identityOf(table);
  const usable = state.uniqueIndexes.filter((index) => index.plain && sameColumns(index.columns, identity));
  const inForce = usable.some((index) => index.isReplicaIdentity) && state.replicaIdentity === 'i';
  if (inForce) return statements;
  const indexName = usable[0]?.name ?? identityIndexName(table);
  if (usable.length === 0) {
    const columns = identity.map((column) => escapeIdentifier(column)).join(', ');
    statements.push(`create unique index ${escapeIdentifier(indexName)} on ${name} (${columns})`);
  }
  statements.push(`alter table ${name} replica identity using index ${escapeIdentifier(indexName)}`);
  return statements;
}

/** Identifiers of more than 63 bytes would be cut by the server. */
function identityIndexName(table: ProtectedTable): string {
  return `${table.table.slice(0, 40)}_bucket_identity`;
}

function roleStatements(table: ProtectedTable, state: TableState, gatewayRole: string): string[] {
  const wanted = table.grants ?? DEFAULT_GRANTS;
  const { gateway, tenants } = state;
  return [
    ...grantStatements(table, gateway, gatewayRole, wanted),
    ...(tenants === null
      ? []
      : grantStatements(table, tenants, TENANTS_ROLE, table.rawSql === false ? [] : wanted)),
  ];
}

function grantStatements(
  table: ProtectedTable,
  rights: TableState['gateway'],
  roleName: string,
  wanted: readonly string[],
): string[] {
  const statements: string[] = [];
  const name = quotedNameOf(table);
  const role = escapeIdentifier(roleName);
  const surplus = rights.privileges.filter((privilege) => !wanted.includes(privilege));
  if (surplus.length > 0) statements.push(`revoke ${surplus.join(', ')} on ${name} from ${role}, public`);
  if (wanted.length === 0) return statements;
  const lacking = wanted.filter((privilege) => !rights.privileges.includes(privilege));
  if (!rights.schemaUsage) {
    statements.push(`grant usage on schema ${escapeIdentifier(table.schema)} to ${role}`);
  }
  if (lacking.length > 0) statements.push(`grant ${lacking.join(', ')} on ${name} to ${role}`);
  for (const sequence of rights.lockedSequences) {
    const sequenceName = `${escapeIdentifier(sequence.schema)}.${escapeIdentifier(sequence.name)}`;
    statements.push(`grant usage on sequence ${sequenceName} to ${role}`);
  }
  return statements;
}
