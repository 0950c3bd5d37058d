import type { Decimal } from 'decimal.js';
import { Column, Entity } from 'typeorm';
import { moneyColumn } from '../../../persistence/money-column.js';
import { Sharded } from '../../../persistence/sharded.js';
import { ShardedEntity } from '../../../persistence/sharded-entity.js';

/** What moved the money. */
export const TRANSACTION_TYPES = ['DEPOSIT', 'WITHDRAW', 'TRANSFER'] as const;

/** How far a transaction has come: held, done, or come to nothing. */
export const TRANSACTION_STATUSES = ['PENDING', 'COMPLETED', 'FAILED'] as const;

export type TransactionType = (typeof TRANSACTION_TYPES)[number];
export type TransactionStatus = (typeof TRANSACTION_STATUSES)[number];

/** One entry of the ledger: what one posting did to one account. The entries of a posting sum to zero. */
@Sharded({ grants: ['SELECT', 'INSERT', 'UPDATE'] })
@Entity({ schema: 'finance', name: 'transactions' })
export class LedgerTransaction extends ShardedEntity {
  @Column({ name: 'account_id', type: 'uuid', update: false })
  accountId!: string;

  @Column({ type: 'text', update: false })
  type!: TransactionType;

  @Column({ type: 'text' })
  status!: TransactionStatus;

  /** Positive in, negative out. */
  @Column(moneyColumn())
  amount!: Decimal;

  /** The account's balance after it; null while it is pending. */
  @Column(moneyColumn({ name: 'balance_after', precision: 24, nullable: true }))
  balanceAfter!: Decimal | null;

  /** The account's version after it, a bigint: it orders an account's entries, and a gap shows. */
  @Column({ name: 'account_version', type: 'bigint' })
  accountVersion!: string;

  /** Joins the entries of one posting. */
  @Column({ name: 'posting_id', type: 'uuid', update: false })
  postingId!: string;

  @Column({ name: 'transfer_id', type: 'uuid', nullable: true, update: false })
  transferId!: string | null;

  @Column({ type: 'varchar', length: 255, nullable: true, update: false })
  reference!: string | null;

  /** Who did it. */
  @Column({ type: 'text', update: false })
  actor!: string;

  @Column({ name: 'executed_at', type: 'timestamptz', precision: 3 })
  executedAt!: Date;
}
