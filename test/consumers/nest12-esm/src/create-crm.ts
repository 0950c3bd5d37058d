import type { MigrationInterface, QueryRunner } from 'typeorm';

export class CreateCrm1764000000000 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`CREATE SCHEMA crm`);
    await queryRunner.query(`
      CREATE TABLE crm.customers (
        tenant_id text NOT NULL,
        id uuid NOT NULL,
        user_id text NOT NULL,
        bucket smallint NOT NULL,
        name varchar(80) NOT NULL,
        credit_limit numeric(20,4) NOT NULL,
        PRIMARY KEY (tenant_id, id),
        UNIQUE (tenant_id, user_id, name)
      )`);
    await queryRunner.query(`
      CREATE TABLE crm.subscriptions (
        tenant_id text NOT NULL,
        id uuid NOT NULL,
        user_id text NOT NULL,
        bucket smallint NOT NULL,
        plan text NOT NULL,
        seats integer NOT NULL DEFAULT 1,
        customer_id uuid NOT NULL,
        PRIMARY KEY (tenant_id, id),
        FOREIGN KEY (tenant_id, customer_id) REFERENCES crm.customers (tenant_id, id)
      )`);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`DROP SCHEMA crm CASCADE`);
  }
}
