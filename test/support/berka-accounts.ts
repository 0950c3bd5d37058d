import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const DIRECTORY = join(import.meta.dirname, '../../../shared/data/berka');
const GENERATED_ACCOUNTS = 4_500;
const GENERATED_CLIENTS = 5_369;

/** An account of the bank, and the client who owns it. */
export interface BerkaAccount {
  readonly accountNumber: string;
  readonly ownerId: string;
}

/** The 4,500 accounts with their owners: the bank's own where the data are, otherwise made up in their shape. */
export function berkaAccounts(): readonly BerkaAccount[] {
  return existsSync(join(DIRECTORY, 'disp.tsv')) ? fromFiles() : generated();
}

function fromFiles(): BerkaAccount[] {
  const owners = new Map<string, string>();
  for (const [, clientId = '', accountId = '', type] of rowsOf('disp.tsv')) {
    if (type === 'O') owners.set(accountId, clientId);
  }
  return rowsOf('account.tsv').map(([accountId = '']) => ({
    accountNumber: `BERKA-${accountId}`,
    ownerId: `client-${owners.get(accountId) ?? ''}`,
  }));
}

function rowsOf(file: string): string[][] {
  const lines = readFileSync(join(DIRECTORY, file), 'utf8').split('\n');
  return lines.filter((line) => line !== '').map((line) => line.split('\t'));
}

/** One owner per account, and as many clients more who own none; the same ones every time. */
function generated(): BerkaAccount[] {
  const gap = GENERATED_CLIENTS / GENERATED_ACCOUNTS;
  return Array.from({ length: GENERATED_ACCOUNTS }, (_, index) => ({
    accountNumber: `BERKA-${index + 1}`,
    ownerId: `client-${Math.floor(index * gap) + 1}`,
  }));
}
