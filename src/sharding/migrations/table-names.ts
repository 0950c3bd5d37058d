import { escapeIdentifier } from 'pg';
import type { ProtectedTable } from './migration-plan.js';

/** The one policy by which anybody sees rows. */
export const POLICY_NAME = 'shardgate_tenant';

/** A policy that tables had beside it for a time; where it is found it goes. */
export const FORMER_POLICY_NAME = 'shardgate_session_tenant';

/** The role that all logins of tenants belong to; it has their rights over tables. One per server. */
export const TENANTS_ROLE = 'shardgate_tenants';

const DEFAULT_IDENTITY = ['bucket', 'id'];

/** The name by which messages and sets call a table. */
export function nameOf(table: Pick<ProtectedTable, 'schema' | 'table'>): string {
  return `${table.schema}.${table.table}`;
}

/** The table's name as SQL takes it. */
export function quotedNameOf(table: ProtectedTable): string {
  return `${escapeIdentifier(table.schema)}.${escapeIdentifier(table.table)}`;
}

/**
 * SQL for an expression of a policy, in which the gateway's login reads as `<gateway>`: the login is called
 * differently from shard to shard.
 *
 * @param expression SQL that gives the expression as the server writes it
 * @param gatewayName SQL that gives the name of the gateway's login
 */
export function withoutGatewayNameSql(expression: string, gatewayName: string): string {
  // As the server writes a literal: quotes doubled, backslashes as they are.
  const literal = `format('''%s''::name', replace(${gatewayName}, '''', ''''''))`;
  return `replace(${expression}, ${literal}, '<gateway>')`;
}

/** The columns of the table's replica identity, in the order of its index. */
export function identityOf(table: ProtectedTable): readonly string[] {
  return table.identity ?? DEFAULT_IDENTITY;
}

/** Whether an index has exactly these columns, in this order. */
export function sameColumns(columns: readonly (string | null)[], wanted: readonly string[]): boolean {
  return columns.length === wanted.length && wanted.every((name, position) => columns[position] === name);
}
