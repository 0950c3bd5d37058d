import { Decimal } from 'decimal.js';
import type { SqlRow } from '../../common/sql-executor.js';
import { sumOf } from '../money/amount.js';

/**
 * Both kinds of accounts in one pass. Sums are text: no number of JavaScript's would hold them. Row-level security
 * keeps it to the tenant as well.
 */
export const SHARD_BALANCES_SQL = `
  SELECT currency,
         count(*) FILTER (WHERE kind = 'USER')::float8 AS accounts,
         coalesce(sum(balance) FILTER (WHERE kind = 'USER'), 0)::text AS balance,
         coalesce(sum(held) FILTER (WHERE kind = 'USER'), 0)::text AS held,
         coalesce(sum(balance) FILTER (WHERE kind = 'SETTLEMENT'), 0)::text AS settlement
  FROM finance.accounts
  WHERE tenant_id = $1 AND ($2::bpchar IS NULL OR currency = $2::bpchar)
  GROUP BY currency`;

/** One currency's accounts on one shard. */
export interface ShardBalancesRow extends SqlRow {
  readonly currency: string;
  readonly accounts: number;
  readonly balance: string;
  readonly held: string;
  readonly settlement: string;
}

/** One currency's accounts, on all shards. */
export interface CurrencyBalances {
  /** ISO 4217 code. */
  readonly currency: string;
  /** How many accounts users have, those that are closed included. */
  readonly accounts: number;
  /** Of users' accounts. */
  readonly balance: Decimal;
  /** The part of it that pending transfers hold. */
  readonly held: Decimal;
  /** Of settlement accounts: with `balance` it sums to zero. */
  readonly settlement: Decimal;
}

/** Adds up what the shards have, exactly; by currency, in the order of the codes. */
export function addUp(rows: readonly ShardBalancesRow[]): CurrencyBalances[] {
  const sums = new Map<string, CurrencyBalances>();
  for (const row of rows) {
    const others = sums.get(row.currency) ?? nothingIn(row.currency);
    sums.set(row.currency, {
      currency: row.currency,
      accounts: others.accounts + row.accounts,
      balance: sumOf(others.balance, new Decimal(row.balance)),
      held: sumOf(others.held, new Decimal(row.held)),
      settlement: sumOf(others.settlement, new Decimal(row.settlement)),
    });
  }
  return [...sums.values()].sort((a, b) => (a.currency < b.currency ? -1 : 1));
}

function nothingIn(currency: string): CurrencyBalances {
  const zero = new Decimal(0);
  return { currency, accounts: 0, balance: zero, held: zero, settlement: zero };
}
