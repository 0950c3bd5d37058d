import { berkaRows } from './berka-files.js';

const GENERATED_ACCOUNTS = 4_500;
const GENERATED_CLIENTS = 5_369;

/** An account of the bank, and the client who owns it. */
export interface BerkaAccount {
  readonly accountNumber: string;
  readonly ownerId: string;
}

/** The 4,500 accounts with their owners: the bank's own where the data are, otherwise made up in their shape. */
export function berkaAccounts(): readonly BerkaAccount[] {
  const dispositions = berkaRows('disp.tsv');
  const accounts = berkaRows('account.tsv');
  if (dispositions === undefined || accounts === undefined) return generated();
  const owners = new Map<string, string>();
  for (const [, clientId = '', accountId = '', type] of dispositions) {
    if (type === 'O') owners.set(accountId, clientId);
  }
  return accounts.map(([accountId = '']) => ({
    accountNumber: `BERKA-${accountId}`,
    ownerId: `client-${owners.get(accountId) ?? ''}`,
  }));
}

/** One owner per account, and as many clients more who own none; the same ones every time. */
function generated(): BerkaAccount[] {
  const gap = GENERATED_CLIENTS / GENERATED_ACCOUNTS;
  return Array.from({ length: GENERATED_ACCOUNTS }, (_, index) => ({
    accountNumber: `BERKA-${index + 1}`,
    ownerId: `client-${Math.floor(index * gap) + 1}`,
  }));
}
