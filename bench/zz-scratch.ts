import { BenchSite } from './harness/bench-site.js';
import { TransferBank } from './bank/transfer-bank.js';
import { FreshKeys, transferOurs } from './benchmarks/transfers/asked-transfers.js';
import { randomIndices } from './harness/random-indices.js';
const site = await BenchSite.open((t) => { console.error(t); });
const bank = await TransferBank.load(site, { tenantId: 'bench-transfers', shardIds: ['s0'], perShard: 10000 });
const keys = new FreshKeys();
const ids = bank.accounts('s0').map(({ id }) => id);
const from = randomIndices(1, 10000), step = randomIndices(-2, 9999);
const one = async () => { const p = from(); const q = (p + 1 + step()) % 10000; await transferOurs(site.transfers, bank, { fromId: ids[p]!, toId: ids[q]! }, keys.next()); };
for (let i = 0; i < 500; i++) await one();
console.error('PID', process.pid, site.primaryAdminUrl('s0'));
const end = performance.now() + Number(process.env['MS'] ?? 3000);
let n = 0; const t0 = performance.now();
while (performance.now() < end) { await one(); n++; }
console.error('done', n, (performance.now() - t0) / n);
await site.close();
