import { beforeAll, describe, expect, it } from '@jest/globals';
import { migrateShards } from '../../src/sharding/migrations/migrator.js';
import { notesPlan } from '../support/notes-migrations.js';
import { scratchShards, TestConnection } from '../support/scratch-shards.js';

const ACCOUNT_ID = '0190b8e0-0000-8abc-8000-00000000000a';
const SETTLEMENT_ID = '0190b8e0-0000-8abc-8000-00000000000b';

const ACCOUNT = {
  tenant_id: 'acme',
  id: '0190b8e0-0000-8abc-8000-000000000001',
  user_id: 'u1',
  bucket: 7,
  account_number: '2',
  currency: 'EUR',
} satisfies Record<string, unknown>;

const SETTLEMENT = {
  ...ACCOUNT,
  user_id: '~settlement',
  bucket: -1,
  kind: 'SETTLEMENT',
  account_number: null,
  currency: 'USD',
};

const ENTRY = {
  tenant_id: 'acme',
  id: '0190b8e0-0000-8abc-8000-000000000002',
  user_id: 'u1',
  bucket: 7,
  account_id: ACCOUNT_ID,
  type: 'DEPOSIT',
  status: 'COMPLETED',
  amount: '5',
  balance_after: '5',
  account_version: 1,
  posting_id: '0190b8e0-0000-8abc-8000-000000000002',
  actor: 'test',
} satisfies Record<string, unknown>;

let gateway: TestConnection;

beforeAll(async () => {
  const { targets, urls, installationId } = await scratchShards();
  const target = targets[0]!;
  const [report] = await migrateShards([target], notesPlan(installationId));
  expect(report?.error).toBeUndefined();
  const admin = await TestConnection.open(target.adminUrl);
  await insert(admin, 'accounts', { ...ACCOUNT, id: ACCOUNT_ID, account_number: '1' });
  await insert(admin, 'accounts', { ...SETTLEMENT, id: SETTLEMENT_ID, currency: 'EUR', balance: '-1000' });
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

describe('finance.accounts', () => {
  it.each([
    ['a user’s account', ACCOUNT],
    ['an account that may overdraw', { ...ACCOUNT, balance: '-50', overdraft_limit: '50' }],
    ['the largest balance there is', { ...ACCOUNT, balance: '9999999999999999.9999' }],
    ['a settlement account below zero', { ...SETTLEMENT, balance: '-1000000' }],
    ['a settlement account of many users', { ...SETTLEMENT, balance: '-99999999999999999999.9999' }],
    ['a closed account without money', { ...ACCOUNT, status: 'CLOSED' }],
  ])('takes %s', async (_, row) => {
    expect(await tryInsert('accounts', row)).toHaveLength(1);
  });

  it.each([
    ['NaN as a balance', { balance: 'NaN' }, 'accounts_amounts_are_numbers'],
    ['NaN as a limit', { overdraft_limit: 'NaN' }, 'accounts_amounts_are_numbers'],
    ['NaN as held', { held: 'NaN' }, 'accounts_amounts_are_numbers'],
    [
      'NaN as balance and held of a settlement account',
      { ...SETTLEMENT, balance: 'NaN' },
      'accounts_amounts_are_numbers',
    ],
    ['less than nothing', { balance: '-0.0001' }, 'accounts_funds'],
    ['more held than there is', { balance: '1', held: '1.0001' }, 'accounts_funds'],
    ['less than its overdraft', { balance: '-50.0001', overdraft_limit: '50' }, 'accounts_funds'],
    ['something held below zero', { held: '-1' }, 'accounts_held_not_negative'],
    ['an overdraft below zero', { balance: '5', overdraft_limit: '-1' }, 'accounts_overdraft_not_negative'],
    ['a closed account with money', { status: 'CLOSED', balance: '1' }, 'accounts_closed_empty'],
    ['a status of its own', { status: 'GONE' }, 'accounts_status_check'],
    ['a currency in lower case', { currency: 'eur' }, 'accounts_currency_check'],
    ['a currency of two letters', { currency: 'EU' }, 'accounts_currency_check'],
    ['no account number', { account_number: null }, 'accounts_number_present'],
    ['an empty account number', { account_number: '' }, 'accounts_number_present'],
    ['a settlement account with a number', { ...SETTLEMENT, account_number: '9' }, 'accounts_number_present'],
    ['a settlement account of a user', { ...SETTLEMENT, user_id: 'u1' }, 'accounts_settlement_owner'],
    ['a settlement account in a bucket', { ...SETTLEMENT, bucket: 7 }, 'accounts_settlement_owner'],
    ['a user’s account of the shard', { bucket: -1 }, 'accounts_settlement_owner'],
    ['a user’s account of nobody', { user_id: '~settlement' }, 'accounts_settlement_owner'],
    ['a number that is taken', { account_number: '1' }, 'accounts_number_unique'],
    ['a balance of 17 digits', { balance: '10000000000000000' }, 'accounts_balance_range'],
    [
      'a second settlement account of one currency',
      { ...SETTLEMENT, currency: 'EUR' },
      'accounts_settlement_unique',
    ],
  ])('refuses %s', async (_, change, constraint) => {
    await expect(tryInsert('accounts', { ...ACCOUNT, ...change })).rejects.toMatchObject({ constraint });
  });

  it.each(['Infinity', '-Infinity'])('refuses %s as a balance', async (balance) => {
    await expect(tryInsert('accounts', { ...ACCOUNT, balance })).rejects.toMatchObject({ code: '22003' });
  });

  it('lets an update do nothing that an insert may not', async () => {
    const update = (set: string) =>
      gateway.as('acme', () =>
        gateway.query(`update finance.accounts set ${set} where id = '${ACCOUNT_ID}' returning id`),
      );
    expect(await update('balance = 1')).toHaveLength(1);
    await expect(update('balance = balance - 1')).rejects.toMatchObject({ constraint: 'accounts_funds' });
    await expect(update(`balance = 'NaN'`)).rejects.toMatchObject({
      constraint: 'accounts_amounts_are_numbers',
    });
    await expect(update(`kind = 'SETTLEMENT'`)).rejects.toMatchObject({ code: '23514' });
  });
});

describe('finance.transactions', () => {
  const SETTLEMENT_ENTRY = {
    ...ENTRY,
    user_id: '~settlement',
    bucket: -1,
    account_id: SETTLEMENT_ID,
    amount: '-5',
    balance_after: '-1005',
  };

  it.each([
    ['a deposit', ENTRY],
    ['the other side of a deposit', SETTLEMENT_ENTRY],
    ['a withdrawal', { ...ENTRY, type: 'WITHDRAW', amount: '-5' }],
    ['the other side of a withdrawal', { ...SETTLEMENT_ENTRY, type: 'WITHDRAW', amount: '5' }],
    ['a leg of a transfer', { ...ENTRY, type: 'TRANSFER', transfer_id: ENTRY.id, amount: '-5' }],
    ['an entry that is pending', { ...ENTRY, status: 'PENDING', balance_after: null }],
  ])('takes %s', async (_, row) => {
    expect(await tryInsert('transactions', row)).toHaveLength(1);
  });

  it.each([
    ['NaN', { amount: 'NaN' }, 'transactions_amounts_are_numbers'],
    ['nothing', { amount: '0' }, 'transactions_amounts_are_numbers'],
    ['what rounds to nothing', { amount: '0.00004' }, 'transactions_amounts_are_numbers'],
    ['NaN as the balance after', { balance_after: 'NaN' }, 'transactions_amounts_are_numbers'],
    ['a deposit that takes', { amount: '-5' }, 'transactions_sign'],
    ['a withdrawal that gives', { type: 'WITHDRAW' }, 'transactions_sign'],
    ['a settlement that gives on a deposit', { ...SETTLEMENT_ENTRY, amount: '5' }, 'transactions_sign'],
    ['a transfer’s leg without the transfer', { type: 'TRANSFER' }, 'transactions_of_transfer'],
    ['a deposit of a transfer', { transfer_id: ENTRY.id }, 'transactions_of_transfer'],
    ['a completed entry without a balance', { balance_after: null }, 'transactions_completed_whole'],
    ['an entry of the shard for a user', { bucket: -1 }, 'transactions_settlement_owner'],
    ['an account that is not there', { account_id: ENTRY.id }, 'transactions_tenant_id_account_id_fkey'],
    ['a type of its own', { type: 'GIFT' }, 'transactions_type_check'],
  ])('refuses %s', async (_, change, constraint) => {
    await expect(tryInsert('transactions', { ...ENTRY, ...change })).rejects.toMatchObject({ constraint });
  });

  it('refuses an account of another tenant', async () => {
    const foreign = { ...ENTRY, tenant_id: 'other' };
    await expect(gateway.as('other', () => insert(gateway, 'transactions', foreign))).rejects.toMatchObject({
      constraint: 'transactions_tenant_id_account_id_fkey',
    });
  });

  it('refuses an entry without a version', async () => {
    await expect(tryInsert('transactions', { ...ENTRY, account_version: null })).rejects.toMatchObject({
      column: 'account_version',
    });
  });

  it('refuses a version of an account twice', async () => {
    const twice = gateway.as('acme', async () => {
      await insert(gateway, 'transactions', ENTRY);
      await insert(gateway, 'transactions', { ...ENTRY, id: SETTLEMENT_ID });
    });
    await expect(twice).rejects.toMatchObject({ constraint: 'transactions_version_unique' });
  });
});
