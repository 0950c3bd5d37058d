import pg from 'pg';
import { SILENT_LOG } from '../../src/common/log.js';
import { resolveGatewayOptions } from '../../src/gateway/gateway-options.js';
import { GatewayRuntime } from '../../src/gateway/gateway-runtime.js';
import type { ClusterConfig } from '../../src/sharding/cluster/cluster-config.js';
import { CreateBilling1763800000100, Invoice, InvoiceLine } from '../support/billing.js';
import { InvoiceReads } from '../support/cache/invoice-reads.js';
import { eventually } from '../support/eventually.js';

/*
 * A process of its own, since only there the heap can be looked at: a whole gateway is asked more different
 * questions than its cache may keep, and what the heap grew by is written. Arguments: the servers, maxBytes, how
 * many questions.
 */

/** How many questions are asked before anything is measured, kept; and twice as many past the cache. */
const WARM_UP_READS = 3_000;
/** Invoices of each tenant, each of which is asked for by its id, too. */
const ROWS = 2_000;
const TENANT_IDS = ['acme', 'globex', 'initech', 'umbrella'];
/** The heap is looked at after each of these parts. */
const PARTS = 5;

const [config = '', maxBytes = '', questions = ''] = process.argv.slice(2);

function heapBytes(): number {
  for (let times = 0; times < 3; times += 1) globalThis.gc?.();
  return process.memoryUsage().heapUsed;
}

const cluster = JSON.parse(config) as ClusterConfig;
const options = resolveGatewayOptions({
  ...cluster,
  cache: { maxBytes: Number(maxBytes), ttlMs: 3_600_000, tenantShare: 0.5 },
  entities: [Invoice, InvoiceLine],
  migrations: [CreateBilling1763800000100],
});
const runtime = await GatewayRuntime.start(options, { log: SILENT_LOG });
const { cache } = runtime.cache;
if (cache === undefined) throw new Error('The gateway has no cache.');
const admin = new pg.Client({ connectionString: cluster.shards[0]?.primary.adminUrl ?? '' });
await admin.connect();
const tenants: InvoiceReads[] = [];
for (const tenantId of TENANT_IDS) {
  tenants.push(await InvoiceReads.prepare(runtime.gateway, admin, { tenantId, rows: ROWS }));
}
await admin.end();

/** Asks all tenants alike, some at once. */
async function ask(first: number, count: number, past?: { readonly cache: false }): Promise<void> {
  const each = Math.ceil(count / tenants.length);
  await Promise.all(tenants.map((reads) => reads.run(first, each, past)));
}

await eventually('the cache answers', async () => {
  await tenants[0]?.read(0);
  return cache.report().hits > 0;
});
/*
 * What the growth is counted from: a gateway that has answered thousands of the same kinds of questions, with its
 * connections, prepared statements and compiled code, the ids that this process made, and an empty cache.
 */
await ask(ROWS, WARM_UP_READS);
await ask(ROWS, 2 * WARM_UP_READS, { cache: false });
cache.clear();
const before = heapBytes();
const grown: number[] = [];
for (let part = 0; part < PARTS; part += 1) {
  const count = Number(questions) / PARTS;
  await ask((part * count) / tenants.length, count);
  grown.push(heapBytes() - before);
}
const { entries, bytes, evictions } = cache.report();
cache.clear();
const left = heapBytes() - before;
process.stdout.write(JSON.stringify({ grown, left, entries, bytes, evictions }));
await runtime.close();
