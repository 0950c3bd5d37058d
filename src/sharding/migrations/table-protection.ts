import { escapeIdentifier } from 'pg';
import type { ProtectedTable, TablePrivilege } from './migration-plan.js';
import type { TableState } from './table-state.js';

/** What stands between a table and its protection. */
export interface ProtectionPlan {
  /** What a person must change, each naming table and object and showing how; nothing is altered while there is one. */
  readonly faults: readonly string[];
  /** What the migrator does by itself; empty for a table that is protected already. */
  readonly statements: readonly string[];
}

const POLICY_NAME = 'shardgate_tenant';
const BUCKET_CHECK_NAME = 'shardgate_bucket_range';
const DEFAULT_IDENTITY = ['bucket', 'id'];
const DEFAULT_GRANTS: readonly TablePrivilege[] = ['SELECT', 'INSERT', 'UPDATE', 'DELETE'];

/** Types that the gateway writes; an identity column of another name may have any. */
const COLUMN_TYPES: Readonly<Record<string, string>> = {
  tenant_id: 'text',
  user_id: 'text',
  bucket: 'smallint',
  id: 'uuid',
};

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
  const faults = [
    ...columnFaults(table, state),
    ...uniquenessFaults(table, state),
    ...foreignKeyFaults(table, state, protectedNames),
    ...policyFaults(table, state),
  ];
  const statements = [
    ...rowSecurityStatements(table, state, gatewayRole),
    ...identityStatements(table, state),
    ...grantStatements(table, state, gatewayRole),
  ];
  return faults.length > 0 ? { faults, statements: [] } : { faults, statements };
}

/** The name by which messages and sets call a table. */
export function nameOf(table: Pick<ProtectedTable, 'schema' | 'table'>): string {
  return `${table.schema}.${table.table}`;
}

function quoted(table: ProtectedTable): string {
  return `${escapeIdentifier(table.schema)}.${escapeIdentifier(table.table)}`;
}

function identityOf(table: ProtectedTable): readonly string[] {
  return table.identity ?? DEFAULT_IDENTITY;
}

function columnFaults(table: ProtectedTable, state: TableState): string[] {
  const needed = new Set(['tenant_id', 'user_id', 'bucket', ...identityOf(table)]);
  return [...needed].flatMap((name) => {
    const column = state.columns.find((candidate) => candidate.name === name);
    const type = COLUMN_TYPES[name];
    const where = `${nameOf(table)}: column ${name}`;
    const alter = `alter table ${quoted(table)}`;
    const ident = escapeIdentifier(name);
    if (column === undefined) {
      return [`${where} is missing; add it: ${alter} add column ${ident} ${type ?? 'text'} not null;`];
    }
    const faults: string[] = [];
    if (type !== undefined && column.type !== type) {
      faults.push(
        `${where} is ${column.type}; change it: ${alter} alter column ${ident} type ${type} using ${ident}::${type};`,
      );
    }
    if (!column.notNull) {
      faults.push(`${where} may be null; change it: ${alter} alter column ${ident} set not null;`);
    }
    return faults;
  });
}

/** A unique index sees every tenant's rows: without the tenant in it, one tenant learns what another has. */
function uniquenessFaults(table: ProtectedTable, state: TableState): string[] {
  const identity = identityOf(table);
  return state.uniqueIndexes
    .filter(({ columns }) => !columns.includes('tenant_id') && !sameColumns(columns, identity))
    .map(({ name, columns }) => {
      const kept = columns.map((column) => column ?? '<expression>').join(', ');
      return (
        `${nameOf(table)}: ${name} makes (${kept}) unique across tenants; ` +
        `replace it by one that begins with the tenant: (tenant_id, ${kept}).`
      );
    });
}

function foreignKeyFaults(
  table: ProtectedTable,
  state: TableState,
  protectedNames: ReadonlySet<string>,
): string[] {
  return state.foreignKeys
    .filter((key) => protectedNames.has(nameOf(key)) && !key.joinsTenant)
    .map(
      (key) =>
        `${nameOf(table)}: foreign key ${key.name} reaches ${nameOf(key)} of any tenant; ` +
        'put tenant_id into both of its sides: foreign key (tenant_id, …) references … (tenant_id, …).',
    );
}

/** Permissive policies add up: a second one would let in what ours keeps out. */
function policyFaults(table: ProtectedTable, state: TableState): string[] {
  return state.policies
    .filter((policy) => policy.name !== POLICY_NAME && policy.permissive && policy.reachesGateway)
    .map(
      ({ name }) =>
        `${nameOf(table)}: policy ${name} lets the gateway's login past its tenant; ` +
        'drop it, make it restrictive, or give it to other roles.',
    );
}

function rowSecurityStatements(table: ProtectedTable, state: TableState, gatewayRole: string): string[] {
  const statements: string[] = [];
  const name = quoted(table);
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
  const name = quoted(table);
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
  const name = quoted(table);
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

function sameColumns(columns: readonly (string | null)[], wanted: readonly string[]): boolean {
  return columns.length === wanted.length && wanted.every((name, position) => columns[position] === name);
}
