import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { SILENT_LOG } from '../../src/common/log.js';
import type { QueryCache } from '../../src/cache/query-cache.js';
import { resolveGatewayOptions } from '../../src/gateway/gateway-options.js';
import { GatewayRuntime } from '../../src/gateway/gateway-runtime.js';
import { CreateBilling1763800000100, Invoice, InvoiceLine } from '../support/billing.js';
import { InvoiceReads } from '../support/cache/invoice-reads.js';
import { eventually } from '../support/eventually.js';
import { SeededRandom } from '../support/hostile/seeded-random.js';
import { ownDatabases } from '../support/own-databases.js';

const MAX_BYTES = 2 * 1024 * 1024;
const TENANT_SHARE = 0.5;
const FLOODS = ['flood-1', 'flood-2', 'flood-3'];
/** Invoices of each. */
const ROWS = 400;
/** What the quiet tenant asks for again and again: a fifth of what the cache may take. */
const FAVOURITES = 300;
/** Of its reads, those that are not asked again: some of its hit rate can be lost. */
const NEW_READS = 0.05;
/** How many different questions each that floods asks: a few times as much as the cache may keep. */
const FLOOD_READS = 3_000;

let runtime: GatewayRuntime;
let cache: Pick<QueryCache<unknown>, 'report'>;
let quiet: InvoiceReads;
let floods: readonly InvoiceReads[];
let flooded = ROWS;
let next = ROWS;

beforeAll(async () => {
  const config = await ownDatabases();
  const shards = config.shards.slice(0, 1);
  runtime = await GatewayRuntime.start(
    resolveGatewayOptions({
      ...config,
      shards,
      cache: { maxBytes: MAX_BYTES, tenantShare: TENANT_SHARE, ttlMs: 3_600_000 },
      entities: [Invoice, InvoiceLine],
      migrations: [CreateBilling1763800000100],
    }),
    { log: SILENT_LOG },
  );
  if (runtime.cache.cache === undefined) throw new Error('The gateway has no cache.');
  cache = runtime.cache.cache;
  const admin = new pg.Client({ connectionString: shards[0]?.primary.adminUrl ?? '' });
  await admin.connect();
  const prepare = (tenantId: string): Promise<InvoiceReads> =>
    InvoiceReads.prepare(runtime.gateway, admin, { tenantId, rows: ROWS });
  quiet = await prepare('quiet');
  floods = [await prepare('flood-1'), await prepare('flood-2'), await prepare('flood-3')];
  await admin.end();
  await eventually('the cache answers', async () => {
    await quiet.read(0);
    return cache.report('quiet').hits > 0;
  });
}, 60_000);

afterAll(async () => {
  await runtime.close();
});

/** Lets the quiet tenant read on, mostly what it has read before. @returns its hit rate meanwhile */
async function hitRateUntil(isOver: (reads: number) => boolean, seed: number): Promise<number> {
  const random = new SeededRandom(seed);
  const before = cache.report('quiet');
  for (let reads = 0; !isOver(reads); reads += 1) {
    const isNew = random.next() < NEW_READS;
    if (isNew) next += 1;
    await quiet.read(isNew ? next : Math.floor(random.next() * FAVOURITES));
  }
  const after = cache.report('quiet');
  const hits = after.hits - before.hits;
  return hits / (hits + after.misses - before.misses);
}

/** Lets some ask as fast as they can, each question once. @returns the most that one of them had in the cache */
async function flood(tenants: readonly InvoiceReads[]): Promise<number> {
  let most = 0;
  const parts = 10;
  for (let part = 0; part < parts; part += 1) {
    const first = flooded;
    flooded += FLOOD_READS / parts;
    await Promise.all(tenants.map((reads) => reads.run(first, FLOOD_READS / parts)));
    for (const tenantId of FLOODS) most = Math.max(most, cache.report(tenantId).bytes);
  }
  return most;
}

describe('a tenant that asks for more than the cache may keep', () => {
  it.each([1, 3])(
    'keeps no more than its share, and takes nothing of another tenant’s hit rate: %s at once',
    async (count) => {
      await quiet.run(0, FAVOURITES);
      const alone = await hitRateUntil((reads) => reads === 3_000, 1);
      let isOver = false;
      const flooding = flood(floods.slice(0, count)).finally(() => (isOver = true));
      const amid = await hitRateUntil(() => isOver, 2);
      const most = await flooding;
      expect(most).toBeLessThanOrEqual(MAX_BYTES * TENANT_SHARE);
      expect(alone).toBeGreaterThan(0.9);
      expect(amid).toBeGreaterThanOrEqual(alone - 0.1);
      // Without this there was no flood.
      const evictions = FLOODS.map((tenantId) => cache.report(tenantId).evictions);
      expect(evictions.filter((gone) => gone > FLOOD_READS / 5)).toHaveLength(count);
      expect(cache.report().bytes).toBeGreaterThan(MAX_BYTES * (count === 1 ? 0.6 : 0.9));
    },
  );
});
