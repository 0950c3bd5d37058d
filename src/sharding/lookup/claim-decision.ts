import { QueryFailedError } from 'typeorm';
import { GatewayError } from '../../common/gateway-error.js';
import { isConnectionFailure } from '../connections/failure.js';
import type { LookupEntry } from './lookup-entries.js';

const SERVER_ERROR = 500;

/** What a creation does about an entry that it finds. */
export type FoundEntryDecision =
  | { readonly kind: 'taken' }
  | { readonly kind: 'wait'; readonly atMostMs: number }
  | { readonly kind: 'settle' };

/**
 * Decides about the entry of a value that one wants oneself. A young claim gets time to be confirmed: that
 * is politeness, since settling it at once would be as safe, and would make its owner begin anew.
 *
 * @param lostRowIds rows of this very creation whose claims were lost: nobody is behind them
 */
export function decideAboutEntry(
  entry: LookupEntry,
  graceMs: number,
  lostRowIds: ReadonlySet<string>,
): FoundEntryDecision {
  if (entry.state === 'confirmed') return { kind: 'taken' };
  const patienceMs = graceMs - entry.ageMs;
  if (patienceMs <= 0 || lostRowIds.has(entry.rowId)) return { kind: 'settle' };
  return { kind: 'wait', atMostMs: patienceMs };
}

/**
 * Whether a creation that failed so may have been kept all the same. Only what is known to have kept nothing
 * counts as refused: a refusal of the gateway's own, or of the server, whose transaction is rolled back.
 */
export function mayHaveBeenKept(error: unknown): boolean {
  if (error instanceof GatewayError) return error.status >= SERVER_ERROR;
  return !(error instanceof QueryFailedError) || isConnectionFailure(error);
}
