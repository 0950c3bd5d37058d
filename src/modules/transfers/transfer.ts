import type { Decimal } from 'decimal.js';
import { Column, Entity } from 'typeorm';
import { moneyColumn } from '../../persistence/money-column.js';
import { Sharded } from '../../persistence/sharded.js';
import { ShardedEntity } from '../../persistence/sharded-entity.js';

/** How far a transfer has come: held, done, given up, or not posted in time. Only `PENDING` is left again. */
export const TRANSFER_STATUSES = ['PENDING', 'COMPLETED', 'VOIDED', 'EXPIRED'] as const;

export type TransferStatus = (typeof TRANSFER_STATUSES)[number];

/** Money from one account to another. It lives with the user who pays. */
@Sharded({ grants: ['SELECT', 'INSERT', 'UPDATE'] })
@Entity({ schema: 'finance', name: 'transfers' })
export class Transfer extends ShardedEntity {
  @Column({ name: 'from_account_id', type: 'uuid', update: false })
  fromAccountId!: string;

  @Column({ name: 'to_account_id', type: 'uuid', update: false })
  toAccountId!: string;

  /** The paying account's entry, which is there from the first moment on. */
  @Column({ name: 'debit_id', type: 'uuid', update: false })
  debitId!: string;

  /** What was asked for; of a pending transfer, what is held. */
  @Column(moneyColumn({ update: false }))
  amount!: Decimal;

  /** What was moved in the end; null unless it is completed. */
  @Column(moneyColumn({ name: 'posted_amount', nullable: true }))
  postedAmount!: Decimal | null;

  /** ISO 4217 code of both accounts. */
  @Column({ type: 'char', length: 3, update: false })
  currency!: string;

  @Column({ type: 'text' })
  status!: TransferStatus;

  @Column({ type: 'varchar', length: 255, nullable: true, update: false })
  reference!: string | null;

  /** Who asked for it. */
  @Column({ type: 'text', update: false })
  actor!: string;

  @Column({ name: 'created_at', type: 'timestamptz', precision: 3, update: false })
  createdAt!: Date;

  /** When what it holds is released; null when it never held anything. */
  @Column({ name: 'expires_at', type: 'timestamptz', precision: 3, nullable: true, update: false })
  expiresAt!: Date | null;

  @Column({ name: 'completed_at', type: 'timestamptz', precision: 3, nullable: true })
  completedAt!: Date | null;
}
