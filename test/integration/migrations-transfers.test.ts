import { beforeAll, describe, expect, it } from '@jest/globals';
import { SERVICE_SCHEMA } from '../../src/service-schema.js';
import { migrateShards } from '../../src/sharding/migrations/migrator.js';
import { SYSTEM_MIGRATIONS } from '../../src/sharding/migrations/system/system-migrations.js';
import { SYSTEM_TABLES } from '../../src/sharding/migrations/system/system-tables.js';
import { scratchShards, TestConnection } from '../support/scratch-shards.js';

const id = (number: number): string => `0190b8e0-0000-8abc-8000-${String(number).padStart(12, '0')}`;
const PAYER = id(1);
const PAYEE = id(2);
const AT = '2026-01-01T00:00:00Z';
const LATER = '2026-01-02T00:00:00Z';

const OWNED = { tenant_id: 'acme', user_id: 'u1', bucket: 7 };

const PENDING = {
  ...OWNED,
  id: id(10),
  from_account_id: PAYER,
  to_account_id: PAYEE,
  debit_id: id(20),
  amount: '5',
  currency: 'EUR',
  status: 'PENDING',
  actor: 'test',
  created_at: AT,
  expires_at: LATER,
} satisfies Record<string, unknown>;

const MOVED = { ...PENDING, status: 'COMPLETED', posted_amount: '5', completed_at: AT, expires_at: null };
const POSTED = { ...PENDING, status: 'COMPLETED', posted_amount: '3', completed_at: LATER };

const DEBIT = {
  ...OWNED,
  id: id(20),
  account_id: PAYER,
  type: 'TRANSFER',
  status: 'PENDING',
  amount: '-5',
  account_version: 2,
  posting_id: PENDING.id,
  transfer_id: PENDING.id,
  actor: 'test',
} satisfies Record<string, unknown>;

let gateway: TestConnection;

beforeAll(async () => {
  const { targets, urls, installationId } = await scratchShards();
  const target = targets[0]!;
  const grants = ['SELECT', 'INSERT', 'UPDATE'] as const;
  const tables = ['accounts', 'transactions', 'transfers'].map((table) => ({
    schema: 'finance',
    table,
    grants,
  }));
  const [report] = await migrateShards([target], {
    installationId,
    migrations: [...SYSTEM_MIGRATIONS, ...SERVICE_SCHEMA.migrations],
    protectedTables: [...SYSTEM_TABLES, ...tables],
    isFollowed: false,
  });
  expect(report?.error).toBeUndefined();
  const admin = await TestConnection.open(target.adminUrl);
  for (const account of [PAYER, PAYEE]) {
    await insert(admin, 'accounts', {
      ...OWNED,
      id: account,
      account_number: account.slice(-12),
      currency: 'EUR',
    });
  }
  gateway = await TestConnection.open(urls.get(target.shardId)!);
}, 60_000);

function insert(connection: TestConnection, table: string, row: Record<string, unknown>) {
  const columns = Object.keys(row);
  const values = columns.map((_, index) => `$${index + 1}`);
  return connection.query(
    `insert into finance.${table} (${columns.join(', ')}) values (${values.join(', ')}) returning id`,
    Object.values(row),
  );
}

/** As the gateway does it, and rolled back: each case stands alone. */
function tryInsert(table: string, row: Record<string, unknown>) {
  return gateway.as('acme', () => insert(gateway, table, row));
}

describe('finance.transfers', () => {
  it.each([
    ['what was moved at once', MOVED],
    ['what is held', PENDING],
    ['what was held and posted in part', POSTED],
    ['what was voided', { ...PENDING, status: 'VOIDED' }],
    ['what expired', { ...PENDING, status: 'EXPIRED' }],
    ['what goes to an account of another shard', { ...MOVED, to_account_id: id(99) }],
  ])('takes %s', async (_, row) => {
    expect(await tryInsert('transfers', row)).toHaveLength(1);
  });

  it.each([
    ['NaN', { ...PENDING, amount: 'NaN' }, 'transfers_amounts_are_numbers'],
    ['NaN as what was posted', { ...POSTED, posted_amount: 'NaN' }, 'transfers_amounts_are_numbers'],
    ['nothing', { ...PENDING, amount: '0' }, 'transfers_amount_above_zero'],
    ['less than nothing', { ...PENDING, amount: '-5' }, 'transfers_amount_above_zero'],
    ['more posted than was held', { ...POSTED, posted_amount: '5.0001' }, 'transfers_posted_within'],
    ['nothing posted', { ...POSTED, posted_amount: '0' }, 'transfers_posted_within'],
    [
      'a completed one without what was posted',
      { ...POSTED, posted_amount: null },
      'transfers_completed_whole',
    ],
    ['a completed one without its instant', { ...POSTED, completed_at: null }, 'transfers_completed_whole'],
    ['a pending one with what was posted', { ...PENDING, posted_amount: '3' }, 'transfers_completed_whole'],
    ['a voided one that was completed', { ...POSTED, status: 'VOIDED' }, 'transfers_completed_whole'],
    ['a pending one that never expires', { ...PENDING, expires_at: null }, 'transfers_pending_expires'],
    ['one that is over before it begins', { ...PENDING, expires_at: AT }, 'transfers_instants_in_order'],
    ['part of what was not held', { ...MOVED, posted_amount: '3' }, 'transfers_at_once_whole'],
    ['one to itself', { ...PENDING, to_account_id: PAYER }, 'transfers_two_accounts'],
    ['a status of its own', { ...PENDING, status: 'LOST' }, 'transfers_status_check'],
    [
      'a payer that is not there',
      { ...PENDING, from_account_id: id(98) },
      'transfers_tenant_id_from_account_id_fkey',
    ],
  ])('refuses %s', async (_, row, constraint) => {
    await expect(tryInsert('transfers', row)).rejects.toMatchObject({ constraint });
  });

  it('cannot be deleted by the gateway', async () => {
    const deleting = gateway.as('acme', () => gateway.query('delete from finance.transfers'));
    await expect(deleting).rejects.toMatchObject({ code: '42501' });
  });
});

describe('entries of transfers', () => {
  it.each([
    ['a held credit', { ...DEBIT, amount: '5' }, 'transactions_held_is_debit'],
    ['a held entry with a balance', { ...DEBIT, balance_after: '0' }, 'transactions_held_is_debit'],
    [
      'a held deposit',
      { ...DEBIT, type: 'DEPOSIT', amount: '5', transfer_id: null },
      'transactions_held_is_debit',
    ],
    ['a posting of something else', { ...DEBIT, posting_id: id(30) }, 'transactions_posting_of_transfer'],
  ])('are never %s', async (_, row, constraint) => {
    await expect(tryInsert('transactions', row)).rejects.toMatchObject({ constraint });
  });

  it('are one per account, whatever is tried twice', async () => {
    const twice = gateway.as('acme', async () => {
      const credit = { ...DEBIT, status: 'COMPLETED', account_id: PAYEE, amount: '5', balance_after: '5' };
      await insert(gateway, 'transactions', DEBIT);
      await insert(gateway, 'transactions', { ...credit, id: id(21) });
      await insert(gateway, 'transactions', { ...credit, id: id(22), account_version: 3 });
    });
    await expect(twice).rejects.toMatchObject({ constraint: 'transactions_transfer_once' });
  });
});
