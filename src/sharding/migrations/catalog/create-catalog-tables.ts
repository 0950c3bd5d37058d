import type { MigrationInterface, QueryRunner } from 'typeorm';
import { SHARD_MAP_TABLE_SQL } from '../../topology/shard-map-store.js';

/** Ids sort by code unit, so that a list's order does not depend on the server's collation. */
const TENANTS_SQL = `
  create table shardgate.tenants (
    id text collate "C" primary key check (id ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
    name text not null,
    status text not null default 'active' check (status in ('active', 'suspended')),
    placement_mode text not null default 'pooled' check (placement_mode in ('pooled', 'dedicated')),
    placement_shard text,
    sub_minor_units boolean not null default false,
    quota jsonb not null default '{}' check (jsonb_typeof(quota) = 'object'),
    created_at timestamptz not null default clock_timestamp(),
    updated_at timestamptz not null default clock_timestamp(),
    constraint tenants_placement check ((placement_mode = 'dedicated') = (placement_shard is not null))
  );
`;

/** A key of no tenant is the operator's. The secret itself is nowhere. */
const API_KEYS_SQL = `
  create table shardgate.api_keys (
    id text collate "C" primary key,
    tenant_id text collate "C" references shardgate.tenants (id),
    secret_hash bytea not null check (octet_length(secret_hash) = 32),
    created_at timestamptz not null default clock_timestamp(),
    revoked_at timestamptz
  );
  create index api_keys_of_tenant on shardgate.api_keys (tenant_id);
`;

/** Payloads say only that something changed: LISTEN hears everyone. */
const NOTIFY_SQL = `
  create function shardgate.notify_tenants() returns trigger language plpgsql set search_path = '' as $$
  begin
    perform pg_catalog.pg_notify('shardgate_catalog', 'tenants');
    return null;
  end $$;
  create trigger notify_tenants after insert or update or delete on shardgate.tenants
    for each statement execute function shardgate.notify_tenants();
  create trigger notify_tenants after insert or update or delete on shardgate.api_keys
    for each statement execute function shardgate.notify_tenants();
`;

/** The tables of the catalog database. */
export class CreateCatalogTables1763800000000 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(SHARD_MAP_TABLE_SQL);
    await queryRunner.query(TENANTS_SQL);
    await queryRunner.query(API_KEYS_SQL);
    await queryRunner.query(NOTIFY_SQL);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('drop table shardgate.api_keys, shardgate.tenants, shardgate.shard_map');
    await queryRunner.query('drop function shardgate.notify_tenants()');
  }
}
