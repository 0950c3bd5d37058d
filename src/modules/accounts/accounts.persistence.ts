import { Account } from './account.js';
import { LedgerTransaction } from './ledger/ledger-transaction.js';
import { CreateFinanceTables1763800000001 } from './migrations/create-finance-tables.js';

/** The entities of the ledger, for the gateway's `entities`. */
export const ACCOUNT_ENTITIES = [Account, LedgerTransaction] as const;

/** What makes their tables, for the gateway's `migrations`. */
export const ACCOUNT_MIGRATIONS = [CreateFinanceTables1763800000001] as const;
