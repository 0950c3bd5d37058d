import type { MigrationInterface, QueryRunner } from 'typeorm';
import { DROP_TENANT_LOGINS_SQL, TENANT_LOGINS_SQL } from './tenant-logins-schema.js';

/**
 * Values unique across a tenant's shards. A row lives on the shard of its value's hash, not of its owner.
 * `claimed` until the row it stands for is known to exist.
 */
const LOOKUP_ENTRIES_SQL = `
  create table shardgate.lookup_entries (
    tenant_id text not null,
    index_name text not null,
    value text not null,
    bucket smallint not null check (bucket >= 0),
    row_id uuid not null,
    user_id text not null,
    state text not null check (state in ('claimed', 'confirmed')),
    claimed_at timestamptz not null default clock_timestamp(),
    primary key (tenant_id, index_name, value)
  );
  create index lookup_entries_stale_claims on shardgate.lookup_entries (tenant_id, claimed_at)
    where state = 'claimed';
`;

/**
 * What became of a claim, on the home shard of its row: written with the row itself, or by whoever finds the
 * claim unconfirmed. The primary key lets only one of the two happen.
 */
const CLAIM_OUTCOMES_SQL = `
  create table shardgate.claim_outcomes (
    tenant_id text not null,
    row_id uuid not null,
    user_id text not null,
    bucket smallint not null check (bucket >= 0),
    outcome text not null check (outcome in ('created', 'abandoned')),
    decided_at timestamptz not null default clock_timestamp(),
    primary key (tenant_id, row_id)
  );
`;

/** Requests by their keys, with the outcome that was decided in the same transaction as their effect. */
const IDEMPOTENCY_KEYS_SQL = `
  create table shardgate.idempotency_keys (
    tenant_id text not null,
    user_id text not null,
    key text not null check (char_length(key) between 1 and 255),
    bucket smallint not null check (bucket >= 0),
    operation text not null,
    request jsonb not null,
    status smallint check (status between 200 and 599),
    response jsonb,
    created_at timestamptz not null default clock_timestamp(),
    primary key (tenant_id, user_id, key),
    constraint idempotency_keys_whole_outcome check (status is not null or response is null)
  );
  create index idempotency_keys_by_age on shardgate.idempotency_keys (created_at);
`;

/** The gateway's own tables of a shard, and what the logins of its tenants need. */
export class CreateShardTables1763800000000 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(LOOKUP_ENTRIES_SQL);
    await queryRunner.query(CLAIM_OUTCOMES_SQL);
    await queryRunner.query(IDEMPOTENCY_KEYS_SQL);
    await queryRunner.query(TENANT_LOGINS_SQL);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(DROP_TENANT_LOGINS_SQL);
    await queryRunner.query(
      'drop table shardgate.idempotency_keys, shardgate.claim_outcomes, shardgate.lookup_entries',
    );
  }
}
