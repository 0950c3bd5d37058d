import { Decimal } from 'decimal.js';
import { GatewayContext } from '../../common/gateway-context.js';
import { SILENT_LOG } from '../../common/log.js';
import { resolveGatewayOptions } from '../../gateway/gateway-options.js';
import { GatewayRuntime } from '../../gateway/gateway-runtime.js';
import { formatAmount, sumOf } from '../../modules/money/amount.js';
import { SERVICE_SCHEMA } from '../../service-schema.js';
import type { DemoBank, DemoScene } from './demo-bank.js';

const BALANCES_SQL = `
  SELECT kind, count(*)::int AS accounts, sum(balance)::text AS balance
  FROM finance.accounts GROUP BY kind ORDER BY kind`;

interface BalanceRow extends Record<string, unknown> {
  readonly kind: string;
  readonly accounts: number;
  readonly balance: string;
}

/**
 * Adds up the tenant's ledger in SQL on every shard, through a second gateway.
 *
 * @throws Error when the ledger does not add up to zero
 */
export async function checkLedger({ site, narrator }: DemoScene, { tenantId }: DemoBank): Promise<void> {
  narrator.chapter('The books');
  const { config } = site.cluster;
  const runtime = await GatewayRuntime.start(
    resolveGatewayOptions({ ...config, ...SERVICE_SCHEMA, migrateOnStart: false }),
    { log: SILENT_LOG },
  );
  const balances: Decimal[] = [];
  try {
    for (const { id: shardId } of config.shards) {
      const rows = await GatewayContext.run({ tenantId, actor: 'demo' }, () =>
        runtime.gateway.query<BalanceRow>(BALANCES_SQL, [], { shardId }, { from: 'primary' }),
      );
      for (const { kind, accounts, balance } of rows) {
        const whose = kind === 'USER' ? "customers' accounts" : 'settlement account';
        narrator.say(
          `${shardId}  ${String(accounts).padStart(4)} ${whose.padEnd(20)} ${balance.padStart(12)}`,
        );
        balances.push(new Decimal(balance));
      }
    }
  } finally {
    await runtime.close();
  }
  const sum = sumOf(...balances);
  narrator.say(`${'sum'.padEnd(29)} ${formatAmount(sum).padStart(12)}`);
  if (!sum.isZero()) throw new Error('The ledger does not add up to zero.');
  narrator.say("What customers have is what settlement accounts owe: the tenant's ledger adds up to zero.");
}
