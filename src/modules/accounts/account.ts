import type { Decimal } from 'decimal.js';
import { Column, Entity } from 'typeorm';
import { moneyColumn } from '../../persistence/money-column.js';
import { Sharded } from '../../persistence/sharded.js';
import { ShardedEntity } from '../../persistence/sharded-entity.js';

/** Whether an account moves money (`ACTIVE`), holds still (`FROZEN`) or is over for ever (`CLOSED`). */
export type AccountStatus = 'ACTIVE' | 'FROZEN' | 'CLOSED';

/** Whose an account is: a user's, or the other side of deposits and withdrawals on one shard. */
export type AccountKind = 'USER' | 'SETTLEMENT';

/**
 * An account and its balance. A settlement account has no number, belongs to nobody and may go below zero;
 * it appears in no list.
 */
@Sharded({ grants: ['SELECT', 'INSERT', 'UPDATE'] })
@Entity({ schema: 'finance', name: 'accounts' })
export class Account extends ShardedEntity {
  @Column({ type: 'text', update: false })
  kind!: AccountKind;

  /** Unique within the tenant; an IBAN is kept in its electronic format. Null for settlement accounts. */
  @Column({ name: 'account_number', type: 'varchar', length: 34, nullable: true, update: false })
  accountNumber!: string | null;

  /** ISO 4217 code. */
  @Column({ type: 'char', length: 3, update: false })
  currency!: string;

  @Column(moneyColumn({ precision: 24 }))
  balance!: Decimal;

  /** The part of the balance that pending transfers hold. */
  @Column(moneyColumn())
  held!: Decimal;

  /** How far the available balance may go below zero. */
  @Column(moneyColumn({ name: 'overdraft_limit' }))
  overdraftLimit!: Decimal;

  @Column({ type: 'text' })
  status!: AccountStatus;

  /** Goes up by one with every change, from 1; a bigint, so a string. */
  @Column({ type: 'bigint' })
  version!: string;

  @Column({ name: 'created_at', type: 'timestamptz', precision: 3, update: false })
  createdAt!: Date;

  @Column({ name: 'updated_at', type: 'timestamptz', precision: 3 })
  updatedAt!: Date;
}
