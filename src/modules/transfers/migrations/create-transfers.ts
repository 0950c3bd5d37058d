import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * On the shard of the account that pays; the other account may be on another one. numeric admits NaN, which
 * compares above every number.
 */
const TRANSFERS_SQL = `
  create table finance.transfers (
    tenant_id text not null,
    id uuid not null,
    user_id text not null,
    bucket smallint not null check (bucket >= 0),
    from_account_id uuid not null,
    to_account_id uuid not null,
    debit_id uuid not null,
    amount numeric(20,4) not null,
    posted_amount numeric(20,4),
    currency char(3) not null check (currency ~ '^[A-Z]{3}$'),
    status text not null check (status in ('PENDING', 'COMPLETED', 'VOIDED', 'EXPIRED')),
    reference varchar(255),
    actor text not null,
    created_at timestamptz(3) not null,
    expires_at timestamptz(3),
    completed_at timestamptz(3),
    primary key (tenant_id, id),
    foreign key (tenant_id, from_account_id) references finance.accounts (tenant_id, id),
    constraint transfers_two_accounts check (from_account_id <> to_account_id),
    constraint transfers_amounts_are_numbers check (amount <> 'NaN' and posted_amount <> 'NaN'),
    constraint transfers_amount_above_zero check (amount > 0),
    constraint transfers_posted_within check (posted_amount > 0 and posted_amount <= amount),
    constraint transfers_completed_whole check (
      (status = 'COMPLETED') = (posted_amount is not null) and (status = 'COMPLETED') = (completed_at is not null)
    ),
    constraint transfers_pending_expires check (status = 'COMPLETED' or expires_at is not null),
    constraint transfers_instants_in_order check (expires_at > created_at and completed_at >= created_at),
    constraint transfers_at_once_whole
      check (expires_at is not null or (posted_amount = amount and completed_at = created_at))
  );
  create index transfers_expiring on finance.transfers (tenant_id, expires_at, id) where status = 'PENDING';
`;

/**
 * One entry per transfer and account, whatever is tried twice: no transfer is posted twice. What is not
 * completed is a debit that is held, or was.
 */
const ENTRIES_SQL = `
  create unique index transactions_transfer_once
    on finance.transactions (tenant_id, transfer_id, account_id) where transfer_id is not null;
  alter table finance.transactions
    add constraint transactions_posting_of_transfer check (type <> 'TRANSFER' or posting_id = transfer_id),
    add constraint transactions_held_is_debit
      check (status = 'COMPLETED' or (type = 'TRANSFER' and amount < 0 and balance_after is null));
`;

/** Transfers between accounts, and what their entries must be. */
export class CreateTransfers1763800000002 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(TRANSFERS_SQL);
    await queryRunner.query(ENTRIES_SQL);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      alter table finance.transactions
        drop constraint transactions_posting_of_transfer, drop constraint transactions_held_is_debit;
      drop index finance.transactions_transfer_once;
      drop table finance.transfers`);
  }
}
