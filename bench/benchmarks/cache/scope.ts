import { setTimeout as delay } from 'node:timers/promises';
import { GatewayContext, type GatewayScope } from '../../../src/index.js';
import { BENCH_TENANT } from '../../bank/bench-bank.js';

/** The scope in which our own subjects read and write. */
export const SCOPE: GatewayScope = { tenantId: BENCH_TENANT, actor: 'bench' };

/** A cache answers when it is sure to hear of other processes, up to two seconds after its start. */
const ANSWERS_WITHIN_MS = 20_000;
const ASK_EVERY_MS = 50;

/**
 * Reads at once while something is read ahead. TypeORM holds one connection while it waits for a second one to
 * write its cache: as many as its pool has would wait for ever.
 */
const AHEAD_AT_ONCE = 4;

/** Whether the cache alone answered what a scope of its own read. */
function isHit(read: () => Promise<unknown>): Promise<boolean> {
  return GatewayContext.run(SCOPE, async () => {
    await read();
    return GatewayContext.trace()?.source === 'cache';
  });
}

/** Waits until the cache answers this read. @throws Error when it does not get there */
export async function untilHit(read: () => Promise<unknown>): Promise<void> {
  const giveUpAt = performance.now() + ANSWERS_WITHIN_MS;
  while (!(await isHit(read))) {
    if (performance.now() > giveUpAt) throw new Error('The cache does not answer.');
    await delay(ASK_EVERY_MS);
  }
}

/** Reads everything once. */
export async function readAhead<Item>(
  items: readonly Item[],
  read: (item: Item) => Promise<unknown>,
): Promise<void> {
  const left = items.values();
  const reader = async (): Promise<void> => {
    for (const item of left) await read(item);
  };
  await Promise.all(Array.from({ length: AHEAD_AT_ONCE }, reader));
}
