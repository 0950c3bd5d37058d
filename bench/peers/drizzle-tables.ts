import {
  bigint,
  char,
  numeric,
  pgSchema,
  smallint,
  text,
  timestamp,
  uuid,
  varchar,
} from 'drizzle-orm/pg-core';

const finance = pgSchema('finance');

const sharded = {
  tenantId: text('tenant_id').notNull(),
  id: uuid('id').notNull(),
  userId: text('user_id').notNull(),
  bucket: smallint('bucket').notNull(),
};

const money = (name: string) => numeric(name, { precision: 20, scale: 4 });
const instant = (name: string) => timestamp(name, { withTimezone: true, precision: 3 }).notNull();

/** `finance.accounts` as Drizzle is told of it. */
export const accounts = finance.table('accounts', {
  ...sharded,
  kind: text('kind').notNull(),
  accountNumber: varchar('account_number', { length: 34 }),
  currency: char('currency', { length: 3 }).notNull(),
  balance: money('balance').notNull(),
  held: money('held').notNull(),
  overdraftLimit: money('overdraft_limit').notNull(),
  status: text('status').notNull(),
  version: bigint('version', { mode: 'bigint' }).notNull(),
  createdAt: instant('created_at'),
  updatedAt: instant('updated_at'),
});

/** `finance.transactions` as Drizzle is told of it. */
export const transactions = finance.table('transactions', {
  ...sharded,
  accountId: uuid('account_id').notNull(),
  type: text('type').notNull(),
  status: text('status').notNull(),
  amount: money('amount').notNull(),
  balanceAfter: money('balance_after'),
  accountVersion: bigint('account_version', { mode: 'bigint' }).notNull(),
  postingId: uuid('posting_id').notNull(),
  transferId: uuid('transfer_id'),
  reference: varchar('reference', { length: 255 }),
  actor: text('actor').notNull(),
  executedAt: instant('executed_at'),
});
