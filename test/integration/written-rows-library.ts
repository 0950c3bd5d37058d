import {
  Column,
  DeleteDateColumn,
  Entity,
  JoinColumn,
  JoinTable,
  ManyToMany,
  ManyToOne,
  OneToMany,
  PrimaryColumn,
  PrimaryGeneratedColumn,
  Tree,
  TreeChildren,
  TreeParent,
  Unique,
  UpdateDateColumn,
  VersionColumn,
  type Relation,
} from 'typeorm';
import { ShardedEntity } from '../../src/persistence/sharded-entity.js';

/** A small model with a key of each kind, and a foreign key with each action. */
@Entity({ schema: 'library', name: 'readers' })
@Unique(['tenantId', 'name'])
export class Reader extends ShardedEntity {
  @Column({ type: 'text' })
  name!: string;

  @Column({ type: 'int', default: 0 })
  visits!: number;

  @VersionColumn()
  version!: number;

  @UpdateDateColumn({ type: 'timestamptz' })
  changedAt!: Date;

  @DeleteDateColumn({ type: 'timestamptz' })
  deletedAt!: Date | null;
}

@Entity({ name: 'authors' })
export class Author {
  @PrimaryGeneratedColumn('uuid')
  id!: string;

  @Column({ type: 'text', unique: true })
  email!: string;

  @Column({ type: 'text', default: 'nobody' })
  name!: string;
}

@Entity({ name: 'tags' })
export class Tag {
  @PrimaryColumn({ type: 'int' })
  id!: number;

  @Column({ type: 'text', unique: true })
  label!: string;
}

@Entity({ name: 'books' })
export class Book {
  @PrimaryColumn({ type: 'uuid' })
  id!: string;

  @Column({ type: 'text' })
  title!: string;

  @ManyToOne(() => Author, { nullable: true, onDelete: 'SET NULL', onUpdate: 'CASCADE' })
  author!: Relation<Author> | null;

  @ManyToOne(() => Book, { nullable: true, onDelete: 'SET NULL' })
  sequelTo!: Relation<Book> | null;

  @ManyToMany(() => Tag, { cascade: ['insert', 'update'] })
  @JoinTable({ name: 'book_tags' })
  tags!: Relation<Tag>[];
}

@Entity({ schema: 'library', name: 'loans' })
export class Loan extends ShardedEntity {
  @ManyToOne(() => Reader, { onDelete: 'CASCADE' })
  @JoinColumn([
    { name: 'tenant_id', referencedColumnName: 'tenantId' },
    { name: 'reader_id', referencedColumnName: 'id' },
  ])
  reader!: Relation<Reader>;

  @ManyToOne(() => Book, { nullable: true, onDelete: 'SET NULL' })
  @JoinColumn({ name: 'book_id' })
  book!: Relation<Book> | null;

  @OneToMany(() => Fee, (fee) => fee.loan, { cascade: true })
  fees!: Relation<Fee>[];
}

@Entity({ schema: 'library', name: 'fees' })
export class Fee extends ShardedEntity {
  @Column({ type: 'numeric' })
  amount!: string;

  @ManyToOne(() => Loan, (loan) => loan.fees, { onDelete: 'CASCADE', orphanedRowAction: 'delete' })
  @JoinColumn([
    { name: 'tenant_id', referencedColumnName: 'tenantId' },
    { name: 'loan_id', referencedColumnName: 'id' },
  ])
  loan!: Relation<Loan>;
}

@Entity({ name: 'letters' })
export class Letter {
  @PrimaryColumn({ type: 'uuid' })
  id!: string;

  @ManyToOne(() => Author, { onDelete: 'CASCADE', onUpdate: 'CASCADE' })
  @JoinColumn({ name: 'recipient', referencedColumnName: 'email' })
  recipient!: Relation<Author>;
}

@Entity({ name: 'shelves' })
@Tree('closure-table', { closureTableName: 'shelf' })
export class Shelf {
  @PrimaryColumn({ type: 'uuid' })
  id!: string;

  @Column({ type: 'text' })
  label!: string;

  @TreeParent({ onDelete: 'CASCADE' })
  parent!: Relation<Shelf> | null;

  @TreeChildren()
  children!: Relation<Shelf>[];
}

@Entity({ name: 'visits' })
export class Visit {
  @PrimaryGeneratedColumn()
  id!: number;

  @Column({ type: 'text' })
  note!: string;
}

export const LIBRARY = [Reader, Author, Tag, Book, Loan, Fee, Letter, Shelf, Visit];
