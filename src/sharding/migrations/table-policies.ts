import { escapeLiteral } from 'pg';
import type { ProtectedTable } from './migration-plan.js';
import { FORMER_POLICY_NAME, POLICY_NAME, quotedNameOf } from './table-names.js';
import type { TableState } from './table-state.js';

type PolicyState = TableState['policies'][number];

/**
 * Which tenant a statement is for. On the login of a tenant the login says it, and nothing that its session
 * may set; on the gateway's own, a setting, which reads as '' after the transaction that it was local to.
 * Everybody else gets null, and no rows.
 *
 * One policy with a case, because two permissive ones are joined by OR, for which the planner may read all
 * of a tenant's rows and sort them. The sub-select is worked out once per statement, instead of once per row.
 */
function conditionFor(gatewayRole: string): string {
  return `tenant_id = (select case
    when starts_with(session_user::text, 'shardgate_t_') then shardgate.session_tenant()
    when current_user = ${escapeLiteral(gatewayRole)} then nullif(current_setting('shardgate.tenant_id', true), '')
  end)`;
}

/** The same as the server writes it back, the gateway's login as `readTableState` names it; all white space taken out. */
const STORED_CONDITION =
  `(tenant_id=(SELECTCASEWHENstarts_with((SESSION_USER)::text,'shardgate_t_'::text)THENshardgate.session_tenant()` +
  `WHEN(CURRENT_USER=<gateway>)THENNULLIF(current_setting('shardgate.tenant_id'::text,true),''::text)ELSENULL::textENDAS"case"))`;

/**
 * What must be done so that a table has its policy, as it must be. It is for PUBLIC: one that names roles
 * can be dropped by whoever may run DROP OWNED BY for them.
 */
export function policyStatements(
  table: ProtectedTable,
  policies: readonly PolicyState[],
  gatewayRole: string,
): string[] {
  const name = quotedNameOf(table);
  const isRight = policies.some(isAsWanted);
  const wrong = policies.filter(
    (policy) => policy.name === FORMER_POLICY_NAME || (policy.name === POLICY_NAME && !isRight),
  );
  const statements = wrong.map((policy) => `drop policy ${policy.name} on ${name}`);
  if (isRight) return statements;
  const condition = conditionFor(gatewayRole);
  return [
    ...statements,
    `create policy ${POLICY_NAME} on ${name} for all to public using (${condition}) with check (${condition})`,
  ];
}

function isAsWanted({ name, permissive, command, onlyPublic, using, check }: PolicyState): boolean {
  return (
    name === POLICY_NAME &&
    permissive &&
    command === '*' &&
    onlyPublic &&
    withoutSpace(using) === STORED_CONDITION &&
    withoutSpace(check) === STORED_CONDITION
  );
}

function withoutSpace(expression: string | null): string | undefined {
  return expression?.replaceAll(/\s/g, '');
}
