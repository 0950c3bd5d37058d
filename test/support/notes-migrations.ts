import type { MigrationInterface, QueryRunner } from 'typeorm';
import { CreateFinanceTables1763800000001 } from '../../src/modules/accounts/migrations/create-finance-tables.js';
import type { MigrationPlan, ProtectedTable } from '../../src/sharding/migrations/migration-plan.js';
import { SYSTEM_MIGRATIONS } from '../../src/sharding/migrations/system/system-migrations.js';
import { SYSTEM_TABLES } from '../../src/sharding/migrations/system/system-tables.js';

/** Whoever holds this advisory lock stops the migration below in its middle. */
export const PAUSE_LOCK = 7_700_777;

/** An importer's migration, of two statements with a place to stop between them. */
class CreateNotes1763800000200 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      create schema notes;
      create table notes.notes (
        tenant_id text not null, id uuid not null, user_id text not null, bucket smallint not null,
        body text, primary key (tenant_id, id))`);
    await queryRunner.query(`select pg_advisory_xact_lock_shared(${PAUSE_LOCK})`);
    await queryRunner.query(`alter table notes.notes add column title text`);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('drop schema notes cascade');
  }
}

/** What follows it, outside of a transaction, as indexes on large tables are made. */
class IndexNotes1763800000300 implements MigrationInterface {
  readonly transaction = false;

  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(
      'create index concurrently if not exists notes_by_title on notes.notes (tenant_id, title)',
    );
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('drop index notes.notes_by_title');
  }
}

/** As the ledger's entities say it: what was booked stays booked. */
const FINANCE_TABLES: readonly ProtectedTable[] = [
  { schema: 'finance', table: 'accounts', grants: ['SELECT', 'INSERT', 'UPDATE'] },
  { schema: 'finance', table: 'transactions', grants: ['SELECT', 'INSERT', 'UPDATE'] },
];

/** Everything that a shard gets: the system's tables, the ledger, and an importer's own table. */
export function notesPlan(installationId: string): MigrationPlan {
  return {
    installationId,
    migrations: [
      ...SYSTEM_MIGRATIONS,
      CreateFinanceTables1763800000001,
      CreateNotes1763800000200,
      IndexNotes1763800000300,
    ],
    protectedTables: [...SYSTEM_TABLES, ...FINANCE_TABLES, { schema: 'notes', table: 'notes' }],
    isFollowed: false,
  };
}
