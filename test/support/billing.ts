import 'reflect-metadata';
import type { Decimal } from 'decimal.js';
import {
  Column,
  DeleteDateColumn,
  Entity,
  JoinColumn,
  ManyToOne,
  OneToMany,
  type MigrationInterface,
  type QueryRunner,
  type Relation,
} from 'typeorm';
import { moneyColumn, Sharded, ShardedEntity } from '../../src/index.js';

/** An importer's own entity, with a relation: what the gateway's tests use as a caller would. */
@Sharded()
@Entity({ schema: 'billing', name: 'invoices' })
export class Invoice extends ShardedEntity {
  @Column({ type: 'varchar', length: 40 })
  number!: string;

  @Column(moneyColumn())
  total!: Decimal;

  @Column({ type: 'integer', default: 0 })
  reminders!: number;

  @DeleteDateColumn({ name: 'deleted_at', type: 'timestamptz', nullable: true })
  deletedAt!: Date | null;

  @OneToMany(() => InvoiceLine, (line) => line.invoice, { cascade: true })
  lines!: Relation<InvoiceLine[]>;
}

/** A line of an invoice; the relation's columns include the tenant, as every key does. */
@Sharded()
@Entity({ schema: 'billing', name: 'invoice_lines' })
export class InvoiceLine extends ShardedEntity {
  @Column({ type: 'text' })
  what!: string;

  @ManyToOne(() => Invoice, (invoice) => invoice.lines)
  @JoinColumn([
    { name: 'tenant_id', referencedColumnName: 'tenantId' },
    { name: 'invoice_id', referencedColumnName: 'id' },
  ])
  invoice!: Relation<Invoice>;
}

const SHARDED_COLUMNS = `
  tenant_id text NOT NULL, id uuid NOT NULL, user_id text NOT NULL, bucket smallint NOT NULL,
  PRIMARY KEY (tenant_id, id)`;

/** Makes the tables of the two. */
export class CreateBilling1763800000100 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`CREATE SCHEMA billing`);
    await queryRunner.query(`
      CREATE TABLE billing.invoices (
        ${SHARDED_COLUMNS},
        number varchar(40) NOT NULL, total numeric(20,4) NOT NULL, reminders integer NOT NULL DEFAULT 0,
        deleted_at timestamptz, UNIQUE (tenant_id, user_id, number))`);
    await queryRunner.query(`
      CREATE TABLE billing.invoice_lines (
        ${SHARDED_COLUMNS},
        what text NOT NULL, invoice_id uuid,
        FOREIGN KEY (tenant_id, invoice_id) REFERENCES billing.invoices (tenant_id, id))`);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`DROP SCHEMA billing CASCADE`);
  }
}
