import { randomUUID } from 'node:crypto';
import { escapeIdentifier } from 'pg';
import { applyMigrations, nameMigrations } from '../apply-migrations.js';
import { assertInstallation, claimInstallation } from '../installation.js';
import type { MigrationOptions } from '../migration-plan.js';
import { withMigrationSession } from '../migration-session.js';
import { grantInspection } from '../protect-tables.js';
import { CreateCatalogTables1763800000000 } from './create-catalog-tables.js';

/** The name of the catalog in events and in its own record of identity. */
const CATALOG_ID = 'catalog';

/** Nothing in the catalog is ever deleted by the gateway. */
const WRITTEN_TABLES = 'shardgate.shard_map, shardgate.tenants, shardgate.api_keys';

/** The catalog database, as migrations see it. */
export interface CatalogTarget {
  readonly adminUrl: string;
  /** The user name of the gateway's own url. */
  readonly gatewayRole: string;
}

/**
 * Brings the catalog's schema up to date, and mints the installation's id at the first time.
 *
 * @returns the installation's id, for the shards' plan, and the migrations that this run applied
 * @throws ShardUnavailableError when the catalog cannot be reached (its shard id is `catalog`)
 * @throws ConfigurationError when the database is a shard's, or a migration fails
 */
export async function migrateCatalog(
  target: CatalogTarget,
  options: MigrationOptions = {},
): Promise<{ installationId: string; applied: string[] }> {
  const shardId = CATALOG_ID;
  return withMigrationSession({ ...target, shardId }, options, async ({ sql, queryRunner, ...session }) => {
    const actual = await claimInstallation(sql, { installationId: randomUUID(), shardId });
    assertInstallation(actual, { installationId: actual.installationId, shardId });
    await grantInspection(sql, { ...target, shardId });
    const applied: string[] = [];
    await applyMigrations(queryRunner, sql, shardId, nameMigrations([CreateCatalogTables1763800000000]), {
      beforeEach: session.throwIfAborted,
      onApplying: (name, index, total) => {
        session.emit({ type: 'applying', shardId, name, index, total });
      },
      onApplied: (name, index, total) => {
        applied.push(name);
        session.emit({ type: 'applied', shardId, name, index, total });
      },
    });
    await sql.query(
      `grant select, insert, update on ${WRITTEN_TABLES} to ${escapeIdentifier(target.gatewayRole)}`,
    );
    if (applied.length === 0) session.emit({ type: 'up-to-date', shardId });
    return { installationId: actual.installationId, applied };
  });
}
