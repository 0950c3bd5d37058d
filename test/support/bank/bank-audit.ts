import { Decimal } from 'decimal.js';
import pLimit from 'p-limit';
import type { BankAccount, BankSite } from './bank-site.js';
import type { BankLedger, LedgerAccount, LedgerTransfer } from './bank-ledger.js';
import type { KeyedRequest, TransferAnswer } from './keyed-request.js';

const AT_ONCE = 32;
/** One that no request of the plan names. */
const NOBODYS_AMOUNT = '987654.32';

/** Of each kind so many are named. */
const NAMED_MAX = 5;

/**
 * Sends every request once more, in peace. One whose key the ledger knew must be answered as it was the first
 * time, whoever was told then; one that it did not know is done now. Whose outcome was unknown has one after it.
 *
 * @returns what is wrong with the answers
 */
export async function replayAll(
  site: BankSite,
  ledger: BankLedger,
  requests: readonly KeyedRequest[],
): Promise<string[]> {
  const kept = await ledger.keys();
  const faults = await pLimit(AT_ONCE).map([...requests], async (request, index) => {
    const { key, answer: first } = request;
    const again = await request.send(site, index);
    if (again === undefined) return [`${key}: no answer in peace`];
    request.answer ??= again;
    const isReplay = again.headers.get('idempotent-replayed') === 'true';
    const found: string[] = [];
    if (first !== undefined && !kept.has(key)) found.push(`${key}: answered, and not kept: ${first.text}`);
    if (isReplay !== kept.has(key)) found.push(`${key}: replayed ${isReplay}, kept ${kept.has(key)}`);
    if (first !== undefined && (first.status !== again.status || first.text !== again.text)) {
      found.push(`${key}: ${first.status} ${first.text} became ${again.status} ${again.text}`);
    }
    return found;
  });
  return someOf(faults.flat());
}

/** Sends some of them with their keys and other bodies. @returns those that were not refused for that */
export async function reuseKeys(site: BankSite, requests: readonly KeyedRequest[]): Promise<string[]> {
  const faults = await pLimit(AT_ONCE).map([...requests], async ({ path, key, body }, index) => {
    const answer = await site.post<TransferAnswer>(
      index,
      path,
      { ...body, amount: NOBODYS_AMOUNT },
      { idempotencyKey: key },
    );
    return answer.body.code === 'idempotency_key_reused' ? [] : [`${key}: ${answer.status} ${answer.text}`];
  });
  return someOf(faults.flat());
}

/**
 * Compares the ledger with what callers were told: every transfer that was acknowledged is there, once, as far as
 * it was brought, no other one is, and the accounts have what follows from that.
 */
export function ledgerFaults(
  opened: readonly BankAccount[],
  requests: readonly KeyedRequest[],
  { transfers, accounts }: { transfers: readonly LedgerTransfer[]; accounts: readonly LedgerAccount[] },
): string[] {
  const faults: string[] = [];
  const told = newestOf(requests, faults);
  const unexplained = new Map(told);
  for (const { id, ...transfer } of transfers) {
    const expected = unexplained.get(id);
    unexplained.delete(id);
    if (expected === undefined) faults.push(`nobody was told of ${id}, or it is there twice`);
    else if (lineOf(expected) !== lineOf(transfer)) faults.push(`${id} is ${lineOf(transfer)}`);
  }
  for (const id of unexplained.keys()) faults.push(`${id} was acknowledged and is not there`);
  const expected = new Map(expectedAccounts(opened, [...told.values()]).map((line) => [line, true]));
  for (const { id, balance, held } of accounts) {
    if (!expected.delete(`${id} ${balance} ${held}`))
      faults.push(`account ${id} has ${balance}, holds ${held}`);
  }
  return someOf([...faults, ...[...expected.keys()].map((line) => `account ${line} was expected`)]);
}

/** What callers were told of each transfer last. */
function newestOf(requests: readonly KeyedRequest[], faults: string[]): Map<string, TransferAnswer> {
  const told = new Map<string, TransferAnswer>();
  for (const { done, key, path } of requests) {
    if (done === undefined) continue;
    const before = told.get(done.id);
    const isNew = path === '/v1/transfers';
    // Only one of those that resolve it may have succeeded, and each payment is a transfer of its own.
    if (isNew ? before !== undefined : before?.status !== 'PENDING')
      faults.push(`${key}: done twice: ${done.id}`);
    told.set(done.id, done);
  }
  return told;
}

function lineOf(transfer: Omit<LedgerTransfer, 'id'>): string {
  const { status, fromAccountId, toAccountId, amount, postedAmount } = transfer;
  return [status, fromAccountId, toAccountId, amount, postedAmount].join(' ');
}

/** Calculated one after the other: each account with its balance and what it holds. */
function expectedAccounts(opened: readonly BankAccount[], told: readonly TransferAnswer[]): string[] {
  const balances = new Map(opened.map(({ id, openingBalance }) => [id, new Decimal(openingBalance)]));
  const held = new Map(opened.map(({ id }) => [id, new Decimal(0)]));
  const add = (to: Map<string, Decimal>, id: string, amount: Decimal): void => {
    to.set(id, (to.get(id) ?? new Decimal(0)).plus(amount));
  };
  for (const { status, fromAccountId, toAccountId, amount, postedAmount } of told) {
    if (status === 'PENDING') add(held, fromAccountId, new Decimal(amount));
    if (status !== 'COMPLETED') continue;
    const moved = new Decimal(postedAmount ?? 0);
    add(balances, fromAccountId, moved.negated());
    add(balances, toAccountId, moved);
  }
  return opened.map(({ id }) => `${id} ${balances.get(id)!.toFixed(4)} ${held.get(id)!.toFixed(4)}`);
}

function someOf(faults: readonly string[]): string[] {
  const more = faults.length - NAMED_MAX;
  return more > 0 ? [...faults.slice(0, NAMED_MAX), `and ${more} more`] : [...faults];
}
