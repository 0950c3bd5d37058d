import { escapeIdentifier } from 'pg';
import type { ProtectedTable } from './migration-plan.js';
import { POLICY_NAME, quotedNameOf, SESSION_POLICY_NAME } from './table-names.js';
import type { TableState } from './table-state.js';

type PolicyState = TableState['policies'][number];

/** A policy as it must be. */
interface WantedPolicy {
  readonly name: string;
  /** For PUBLIC, or for the gateway's login alone. */
  readonly forPublic: boolean;
  readonly condition: string;
  /** The condition as the server writes it back; all white space taken out. */
  readonly stored: string;
}

/**
 * For statements that the library makes: a setting names the tenant. The sub-select makes the server read it
 * once per statement instead of once per row; nullif, because a setting that was local to an earlier
 * transaction reads as '' afterwards, not as null.
 */
const BY_SETTING: WantedPolicy = {
  name: POLICY_NAME,
  forPublic: false,
  condition: `tenant_id = (select nullif(current_setting('shardgate.tenant_id', true), ''))`,
  stored: `(tenant_id=(SELECTNULLIF(current_setting('shardgate.tenant_id'::text,true),''::text)AS"nullif"))`,
};

/**
 * For statements that a caller wrote: the login is the tenant. It gives no rows to any other login. For
 * PUBLIC, because a policy for the tenants' own group could be dropped by each of them (DROP OWNED BY). The
 * look at the name keeps the gateway's own statements from asking: from PostgreSQL 18 on both policies'
 * values are worked out, even where the first one decides.
 */
const BY_SESSION: WantedPolicy = {
  name: SESSION_POLICY_NAME,
  forPublic: true,
  condition: `tenant_id = (select case when starts_with(session_user::text, 'shardgate_t_') then shardgate.session_tenant() end)`,
  stored: `(tenant_id=(SELECTCASEWHENstarts_with((SESSION_USER)::text,'shardgate_t_'::text)THENshardgate.session_tenant()ELSENULL::textENDAS"case"))`,
};

/** What must be done so that a table has its policies, as they must be. */
export function policyStatements(
  table: ProtectedTable,
  policies: readonly PolicyState[],
  gatewayRole: string,
): string[] {
  const isWanted = (policy: WantedPolicy): boolean => policy !== BY_SESSION || table.rawSql !== false;
  return [BY_SETTING, BY_SESSION].flatMap((wanted) => {
    const name = quotedNameOf(table);
    const present = policies.find((policy) => policy.name === wanted.name);
    if (isWanted(wanted) && present !== undefined && isAsWanted(present, wanted)) return [];
    const to = wanted.forPublic ? 'public' : escapeIdentifier(gatewayRole);
    const { condition } = wanted;
    return [
      ...(present === undefined ? [] : [`drop policy ${wanted.name} on ${name}`]),
      ...(isWanted(wanted)
        ? [
            `create policy ${wanted.name} on ${name} for all to ${to} using (${condition}) with check (${condition})`,
          ]
        : []),
    ];
  });
}

function isAsWanted(present: PolicyState, { forPublic, stored }: WantedPolicy): boolean {
  return (
    present.permissive &&
    present.command === '*' &&
    (forPublic ? present.onlyPublic : present.onlyGateway) &&
    withoutSpace(present.using) === stored &&
    withoutSpace(present.check) === stored
  );
}

function withoutSpace(expression: string | null): string | undefined {
  return expression?.replaceAll(/\s/g, '');
}
