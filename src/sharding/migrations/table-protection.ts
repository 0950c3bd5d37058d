import { escapeIdentifier } from 'pg';
import type { ProtectedTable, TablePrivilege } from './migration-plan.js';
import { tableFaults } from './table-faults.js';
import { identityOf, nameOf, POLICY_NAME, quotedNameOf, sameColumns } from './table-names.js';
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
 * The sub-select makes the server read the setting once per statement instead of once per row; nullif,
 * because a setting that was local to an earlier transaction reads as '' afterwards, not as null.
 */
const TENANT_CONDITION = `tenant_id = (select nullif(current_setting('shardgate.tenant_id', true), ''))`;
/** The same, as the server writes it back; all white space taken out. */
const STORED_CONDITION = `(tenant_id=(SELECTNULLIF(current_setting('shardgate.tenant_id'::text,true),''::text)AS"nullif"))`;

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
      ...grantStatements(table, state, gatewayRole),
    ],
  };
}

function rowSecurityStatements(table: ProtectedTable, state: TableState, gatewayRole: string): string[] {
  const statements: string[] = [];
  const name = quotedNameOf(table);
  if (!state.rowSecurity) statements.push(`alter table ${name} enable row level security`);
  // Without FORCE the owner, with whose rights views and functions run, would see everything.
  if (!state.forceRowSecurity) statements.push(`alter table ${name} force row level security`);
  if (!state.policies.some(isTenantPolicy)) {
    if (state.policies.some((policy) => policy.name === POLICY_NAME)) {
      statements.push(`drop policy ${POLICY_NAME} on ${name}`);
    }
    statements.push(
      `create policy ${POLICY_NAME} on ${name} for all to ${escapeIdentifier(gatewayRole)} ` +
        `using (${TENANT_CONDITION}) with check (${TENANT_CONDITION})`,
    );
  }
  return statements;
}

function isTenantPolicy(policy: TableState['policies'][number]): boolean {
  return (
    policy.name === POLICY_NAME &&
    policy.permissive &&
    policy.command === '*' &&
    policy.onlyGateway &&
    policy.using?.replaceAll(/\s/g, '') === STORED_CONDITION &&
    policy.check?.replaceAll(/\s/g, '') === STORED_CONDITION
  );
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

function grantStatements(table: ProtectedTable, state: TableState, gatewayRole: string): string[] {
  const statements: string[] = [];
  const name = quotedNameOf(table);
  const role = escapeIdentifier(gatewayRole);
  const wanted: readonly string[] = table.grants ?? DEFAULT_GRANTS;
  const surplus = state.privileges.filter((privilege) => !wanted.includes(privilege));
  const lacking = wanted.filter((privilege) => !state.privileges.includes(privilege));
  if (!state.schemaUsage) {
    statements.push(`grant usage on schema ${escapeIdentifier(table.schema)} to ${role}`);
  }
  if (surplus.length > 0) statements.push(`revoke ${surplus.join(', ')} on ${name} from ${role}, public`);
  if (lacking.length > 0) statements.push(`grant ${lacking.join(', ')} on ${name} to ${role}`);
  for (const sequence of state.lockedSequences) {
    const sequenceName = `${escapeIdentifier(sequence.schema)}.${escapeIdentifier(sequence.name)}`;
    statements.push(`grant usage on sequence ${sequenceName} to ${role}`);
  }
  return statements;
}
