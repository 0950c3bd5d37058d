import 'reflect-metadata';
import { Column, Entity, type MigrationInterface, type QueryRunner } from 'typeorm';
import { Sharded, ShardedEntity } from '../../../src/index.js';

/** A user's units, which move between users: their sum stays what it is. */
@Sharded()
@Entity({ schema: 'purses', name: 'purses' })
export class Purse extends ShardedEntity {
  @Column({ type: 'integer' })
  units!: number;
}

/** Makes its table. A purse cannot be overdrawn. */
export class CreatePurses1763800000500 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      CREATE SCHEMA purses;
      CREATE TABLE purses.purses (
        tenant_id text NOT NULL, id uuid NOT NULL, user_id text NOT NULL, bucket smallint NOT NULL,
        units integer NOT NULL CHECK (units >= 0), PRIMARY KEY (tenant_id, id))`);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('DROP SCHEMA purses CASCADE');
  }
}

export const PURSE_TENANT = 'acme';
