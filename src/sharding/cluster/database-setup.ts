import { Client } from 'pg';
import type { ClusterSecrets } from './cluster-secrets.js';
import { ROLES } from './server-settings.js';

/** The role is missing, or has another password than secrets.json says: both are put right the same way. */
const ROLE_EXISTS = 'select 1 from pg_roles where rolname = $1';
const DATABASE_EXISTS = 'select 1 from pg_database where datname = $1';

/** Attributes in full: a role that was changed by hand comes back to what the gateway relies on. */
const GATEWAY_ATTRIBUTES = 'login nosuperuser nocreaterole nocreatedb noreplication nobypassrls';
const REPLICATION_ATTRIBUTES = 'login replication nosuperuser nocreaterole nocreatedb nobypassrls';

/**
 * Makes the roles and the database of a primary or the catalog. It may be repeated, and interrupted anywhere.
 *
 * @param adminUrl of the server's `postgres` database
 */
export async function setUpDatabase(
  adminUrl: string,
  database: string,
  secrets: ClusterSecrets,
): Promise<void> {
  const client = new Client({ connectionString: adminUrl });
  await client.connect();
  try {
    // Waiting for the disk (or not) is no matter here: what is lost is made again at the next start.
    await client.query('set synchronous_commit = off');
    await ensureRole(client, ROLES.gateway, GATEWAY_ATTRIBUTES, secrets.gatewayPassword);
    await ensureRole(client, ROLES.replication, REPLICATION_ATTRIBUTES, secrets.replicationPassword);
    const { rowCount } = await client.query(DATABASE_EXISTS, [database]);
    if (rowCount === 0) await client.query(`create database ${client.escapeIdentifier(database)}`);
  } finally {
    await client.end();
  }
}

async function ensureRole(client: Client, role: string, attributes: string, password: string): Promise<void> {
  const { rowCount } = await client.query(ROLE_EXISTS, [role]);
  const verb = rowCount === 0 ? 'create' : 'alter';
  const name = client.escapeIdentifier(role);
  await client.query(`${verb} role ${name} with ${attributes} password ${client.escapeLiteral(password)}`);
}
