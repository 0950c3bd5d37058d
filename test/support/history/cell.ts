import 'reflect-metadata';
import { Column, Entity, type MigrationInterface, type QueryRunner } from 'typeorm';
import { Sharded, ShardedEntity } from '../../../src/index.js';

/** Users, and cells of each. */
const USERS = ['ada', 'bob', 'cyd', 'dan'] as const;
const CELLS_PER_USER = 6;

/** How many cells there are; they are known by their index. */
const CELL_COUNT = USERS.length * CELLS_PER_USER;

/** Who writes a cell: one client of the first or of the second process, many clients, or one that uses both. */
export type CellUse = 'first' | 'second' | 'contended' | 'quiet';
const USES: readonly CellUse[] = ['first', 'second', 'contended', 'contended', 'quiet', 'quiet'];

/** A row that counts its writes: each that is kept makes `value` greater by one. */
@Sharded()
@Entity({ schema: 'history', name: 'cells' })
export class Cell extends ShardedEntity {
  @Column({ type: 'varchar', length: 40 })
  name!: string;

  @Column({ type: 'integer' })
  value!: number;

  /** The latest write that said who it is; increments do not. */
  @Column({ type: 'varchar', length: 40 })
  writer!: string;
}

/** Makes the table. */
export class CreateCells1763800000400 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`CREATE SCHEMA history`);
    await queryRunner.query(`
      CREATE TABLE history.cells (
        tenant_id text NOT NULL, id uuid NOT NULL, user_id text NOT NULL, bucket smallint NOT NULL,
        name varchar(40) NOT NULL, value integer NOT NULL, writer varchar(40) NOT NULL,
        PRIMARY KEY (tenant_id, id), UNIQUE (tenant_id, user_id, name))`);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`DROP SCHEMA history CASCADE`);
  }
}

export function userOf(cell: number): string {
  return USERS[Math.floor(cell / CELLS_PER_USER)] ?? '';
}

export function useOf(cell: number): CellUse {
  return USES[cell % CELLS_PER_USER] ?? 'contended';
}

export function nameOf(cell: number): string {
  return `cell-${String(cell).padStart(2, '0')}`;
}

/** The index of the cell with this name. */
export function cellNamed(name: string): number {
  return Number(name.slice('cell-'.length));
}

/** All cells of one use, or all. */
export function cellsOf(use?: CellUse): number[] {
  const all = Array.from({ length: CELL_COUNT }, (_, cell) => cell);
  return use === undefined ? all : all.filter((cell) => useOf(cell) === use);
}

/** All cells of a user. */
export function cellsOfUser(userId: string): number[] {
  return cellsOf().filter((cell) => userOf(cell) === userId);
}
