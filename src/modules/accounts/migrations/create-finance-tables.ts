import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Clients get instants as JavaScript holds them, so the database holds none that is finer: cursors carry them. */
const NOW_MS = `date_trunc('milliseconds', clock_timestamp())`;

/**
 * numeric admits NaN, which compares above every number: each amount is checked against it. A settlement
 * account holds the other side of deposits and withdrawals; it belongs to its shard (bucket -1) and to
 * nobody (no user id begins with ~), and alone may go below its limit. Users' balances fit NUMERIC(20,4); it
 * has four digits more, so that the sum of many users' money does not stand in the way of one of them. Its pages
 * are left a third empty: a new version of a row then fits beside the old one, and no index changes with it.
 */
const ACCOUNTS_SQL = `
  create table finance.accounts (
    tenant_id text not null,
    id uuid not null,
    user_id text not null,
    bucket smallint not null,
    kind text not null default 'USER' check (kind in ('USER', 'SETTLEMENT')),
    account_number varchar(34),
    currency char(3) not null check (currency ~ '^[A-Z]{3}$'),
    balance numeric(24,4) not null default 0,
    held numeric(20,4) not null default 0,
    overdraft_limit numeric(20,4) not null default 0,
    status text not null default 'ACTIVE' check (status in ('ACTIVE', 'FROZEN', 'CLOSED')),
    version bigint not null default 1 check (version > 0),
    created_at timestamptz(3) not null default ${NOW_MS},
    updated_at timestamptz(3) not null default ${NOW_MS},
    primary key (tenant_id, id),
    constraint accounts_number_unique unique (tenant_id, account_number),
    constraint accounts_number_present
      check ((kind = 'SETTLEMENT') = (account_number is null) and account_number <> ''),
    constraint accounts_settlement_owner
      check ((kind = 'SETTLEMENT') = (user_id = '~settlement') and (kind = 'SETTLEMENT') = (bucket = -1)),
    constraint accounts_amounts_are_numbers
      check (balance <> 'NaN' and held <> 'NaN' and overdraft_limit <> 'NaN'),
    constraint accounts_balance_range check (kind = 'SETTLEMENT' or abs(balance) < 1e16),
    constraint accounts_held_not_negative check (held >= 0),
    constraint accounts_overdraft_not_negative check (overdraft_limit >= 0),
    constraint accounts_funds check (kind = 'SETTLEMENT' or balance - held >= -overdraft_limit),
    constraint accounts_closed_empty check (status <> 'CLOSED' or (balance = 0 and held = 0))
  ) with (fillfactor = 70);
  create unique index accounts_settlement_unique on finance.accounts (tenant_id, currency)
    where kind = 'SETTLEMENT';
  create index accounts_of_user on finance.accounts (tenant_id, user_id, id);
`;

/**
 * One entry per account that a posting touches; the entries of one posting sum to zero. The account's
 * version in each makes the sequence of an account's entries gapless, and the last one before an instant
 * its balance then.
 */
const TRANSACTIONS_SQL = `
  create table finance.transactions (
    tenant_id text not null,
    id uuid not null,
    user_id text not null,
    bucket smallint not null,
    account_id uuid not null,
    type text not null check (type in ('DEPOSIT', 'WITHDRAW', 'TRANSFER')),
    status text not null check (status in ('PENDING', 'COMPLETED', 'FAILED')),
    amount numeric(20,4) not null,
    balance_after numeric(24,4),
    account_version bigint not null check (account_version > 0),
    posting_id uuid not null,
    transfer_id uuid,
    reference varchar(255),
    actor text not null,
    executed_at timestamptz(3) not null default ${NOW_MS},
    primary key (tenant_id, id),
    foreign key (tenant_id, account_id) references finance.accounts (tenant_id, id),
    constraint transactions_version_unique unique (tenant_id, account_id, account_version),
    constraint transactions_settlement_owner check ((user_id = '~settlement') = (bucket = -1)),
    constraint transactions_amounts_are_numbers
      check (amount <> 'NaN' and amount <> 0 and balance_after <> 'NaN'),
    constraint transactions_sign check (
      case type
        when 'DEPOSIT' then (amount > 0) <> (bucket = -1)
        when 'WITHDRAW' then (amount < 0) <> (bucket = -1)
        else true
      end
    ),
    constraint transactions_of_transfer check ((type = 'TRANSFER') = (transfer_id is not null)),
    constraint transactions_completed_whole
      check (status <> 'COMPLETED' or balance_after is not null)
  );
  create index transactions_of_account
    on finance.transactions (tenant_id, account_id, executed_at desc, account_version desc, id desc);
`;

/**
 * An account has one owner. Told so, the planner no longer takes the user's condition beside the account's for
 * a further filter that leaves hardly a row, and reads the newest transactions off the index in order.
 */
const TRANSACTIONS_STATISTICS_SQL = `
  create statistics finance.transactions_owner (dependencies) on tenant_id, user_id, account_id
    from finance.transactions;
`;

/** The ledger: accounts and their entries. */
export class CreateFinanceTables1763800000001 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('create schema if not exists finance');
    await queryRunner.query(ACCOUNTS_SQL);
    await queryRunner.query(TRANSACTIONS_SQL);
    await queryRunner.query(TRANSACTIONS_STATISTICS_SQL);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('drop table finance.transactions, finance.accounts');
  }
}
