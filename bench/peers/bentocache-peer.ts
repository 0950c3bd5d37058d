import { BentoCache, bentostore } from 'bentocache';
import { memoryDriver } from 'bentocache/drivers/memory';
import type { PgPeer, PlainAccount, PlainTransaction } from './pg-peer.js';

/** Longer than any run, ms. */
const TTL_MS = 3_600_000;

/** More than any benchmark keeps. */
const ITEMS_MAX = 100_000;

/** BentoCache in memory, as it is set unless told otherwise: every caller gets an object of its own, of JSON. */
export class BentocachePeer {
  readonly #cache = new BentoCache({
    default: 'memory',
    stores: { memory: bentostore().useL1Layer(memoryDriver({ maxItems: ITEMS_MAX })) },
  });
  readonly #source: PgPeer;

  /** @param source is asked for what is not there yet */
  constructor(source: PgPeer) {
    this.#source = source;
  }

  /** An account by its key. */
  account(tenantId: string, id: string): Promise<PlainAccount | undefined> {
    return this.#cache.getOrSet({
      key: `account:${tenantId}:${id}`,
      factory: () => this.#source.account(tenantId, id),
      ttl: TTL_MS,
    });
  }

  /** An account's newest transactions. */
  transactions(tenantId: string, accountId: string, limit: number): Promise<PlainTransaction[]> {
    return this.#cache.getOrSet({
      key: `transactions:${tenantId}:${accountId}:${limit}`,
      factory: () => this.#source.transactions(tenantId, accountId, limit),
      ttl: TTL_MS,
    });
  }

  /** Ends it. */
  close(): Promise<void> {
    return this.#cache.disconnectAll();
  }
}
