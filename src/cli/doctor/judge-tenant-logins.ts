import type { Finding } from './finding.js';
import type { TenantLoginFacts } from './tenant-login-facts.js';

/** What stands in the way of callers' own SQL, or of its isolation. */
export function judgeTenantLogins(facts: TenantLoginFacts, shardId: string): Finding[] {
  const findings: Finding[] = [];
  const find = (level: Finding['level'], what: string, fix: string): void => {
    findings.push({ level, where: shardId, what, fix });
  };
  if (facts.adminMayCreateRoles === false) {
    find(
      'warning',
      'the login of adminUrl cannot make logins for tenants: raw SQL fails there',
      'alter role … createrole, and from PostgreSQL 16 on grant shardgate_tenants to it with admin option; then shardgate migrate',
    );
  } else if (!facts.groupExists) {
    find('warning', 'the role shardgate_tenants is missing: raw SQL fails there', 'run shardgate migrate');
  }
  if (facts.openSchemas.length > 0) {
    find(
      'warning',
      `everybody may create objects in ${facts.openSchemas.join(', ')}: one tenant’s raw SQL could shadow another’s`,
      'revoke create on … from public',
    );
  }
  if (facts.rolesWithSettings > 0) {
    find(
      'warning',
      `${facts.rolesWithSettings} logins of tenants carry settings that raw SQL gave them`,
      'nothing: they are taken away at the next login; look who does it',
    );
  }
  if (facts.rolesWithRights > 0) {
    find(
      'error',
      `${facts.rolesWithRights} logins of tenants have rights, memberships or members that they were not made with`,
      'revoke them; a tenant’s login is a member of shardgate_tenants and nothing else',
    );
  }
  if (facts.preparedTransactions > 0) {
    find(
      'error',
      `${facts.preparedTransactions} transactions were prepared by raw SQL and hold their locks for ever`,
      String.raw`rollback prepared each: select gid from pg_prepared_xacts where owner like 'shardgate\_t\_%'`,
    );
  }
  return findings;
}
