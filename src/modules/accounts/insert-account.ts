import { Decimal } from 'decimal.js';
import type { EntityManager } from 'typeorm';
import { Account } from './account.js';

/** Whose a new account is, and what it is called. */
export type NewAccountRow = Pick<
  Account,
  'tenantId' | 'id' | 'userId' | 'bucket' | 'accountNumber' | 'currency'
>;

const INSERT_SQL = `
  INSERT INTO finance.accounts (tenant_id, id, user_id, bucket, account_number, currency)
  VALUES ($1, $2, $3, $4, $5, $6)
  RETURNING version, created_at AS "createdAt", updated_at AS "updatedAt"`;

/** Makes an empty account; what the database fills in comes back in the same round trip. */
export async function insertAccount(manager: EntityManager, row: NewAccountRow): Promise<Account> {
  const [made] = await manager.query<Pick<Account, 'version' | 'createdAt' | 'updatedAt'>[]>(INSERT_SQL, [
    row.tenantId,
    row.id,
    row.userId,
    row.bucket,
    row.accountNumber,
    row.currency,
  ]);
  return Object.assign(new Account(), {
    ...row,
    ...made,
    kind: 'USER' as const,
    status: 'ACTIVE' as const,
    balance: new Decimal(0),
    held: new Decimal(0),
    overdraftLimit: new Decimal(0),
  });
}
