import type { MigrationInterface, QueryRunner } from 'typeorm';

export class CreateShop1764000001000 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`CREATE SCHEMA shop`);
    await queryRunner.query(`
      CREATE TABLE shop.customers (
        tenant_id text NOT NULL,
        id uuid NOT NULL,
        user_id text NOT NULL,
        bucket smallint NOT NULL,
        name varchar(80) NOT NULL,
        credit numeric(20,4) NOT NULL,
        PRIMARY KEY (tenant_id, id),
        UNIQUE (tenant_id, user_id, name)
      )`);
    await queryRunner.query(`
      CREATE TABLE shop.orders (
        tenant_id text NOT NULL,
        id uuid NOT NULL,
        user_id text NOT NULL,
        bucket smallint NOT NULL,
        article text NOT NULL,
        total numeric(20,4) NOT NULL,
        placed_at timestamptz NOT NULL,
        customer_id uuid NOT NULL,
        PRIMARY KEY (tenant_id, id),
        FOREIGN KEY (tenant_id, customer_id) REFERENCES shop.customers (tenant_id, id)
      )`);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`DROP SCHEMA shop CASCADE`);
  }
}
