import { escapeIdentifier } from 'pg';
import type { ProtectedTable } from './migration-plan.js';
import {
  identityOf,
  nameOf,
  POLICY_NAME,
  quotedNameOf,
  sameColumns,
  FORMER_POLICY_NAME,
} from './table-names.js';
import type { TableState } from './table-state.js';

/** Types that the gateway writes; an identity column of another name may have any. */
const COLUMN_TYPES: Readonly<Record<string, string>> = {
  tenant_id: 'text',
  user_id: 'text',
  bucket: 'smallint',
  id: 'uuid',
};

/**
 * What keeps a table from being shared by tenants and that only its owner can decide about; each fault names
 * table and object, and shows the way out.
 *
 * @param protectedNames the names (`schema.table`) of all protected tables: foreign keys between them must join the tenant
 */
export function tableFaults(
  table: ProtectedTable,
  state: TableState,
  protectedNames: ReadonlySet<string>,
): string[] {
  return [
    ...columnFaults(table, state),
    ...uniquenessFaults(table, state),
    ...foreignKeyFaults(table, state, protectedNames),
    ...policyFaults(table, state),
  ];
}

function columnFaults(table: ProtectedTable, state: TableState): string[] {
  const needed = new Set(['tenant_id', 'user_id', 'bucket', ...identityOf(table)]);
  return [...needed].flatMap((name) => {
    const column = state.columns.find((candidate) => candidate.name === name);
    const type = COLUMN_TYPES[name];
    const where = `${nameOf(table)}: column ${name}`;
    const alter = `alter table ${quotedNameOf(table)}`;
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
    .filter(({ name, permissive }) => permissive && name !== POLICY_NAME && name !== FORMER_POLICY_NAME)
    .filter(({ reachesGateway, reachesTenants }) => reachesGateway || reachesTenants)
    .map(
      ({ name, reachesGateway }) =>
        `${nameOf(table)}: policy ${name} lets ${reachesGateway ? "the gateway's login" : 'a login of a tenant'} ` +
        'past its tenant; drop it, make it restrictive, or give it to other roles.',
    );
}
