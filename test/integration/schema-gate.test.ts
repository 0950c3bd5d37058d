import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { SILENT_LOG } from '../../src/common/log.js';
import { resolveGatewayOptions, type GatewayOptions } from '../../src/gateway/gateway-options.js';
import { GatewayRuntime } from '../../src/gateway/gateway-runtime.js';
import type { ClusterConfig } from '../../src/sharding/cluster/cluster-config.js';
import { CreateBilling1763800000100, Invoice, InvoiceLine } from '../support/billing.js';
import { eventually } from '../support/eventually.js';
import { ownDatabases, runAsAdmin } from '../support/own-databases.js';

const BILLING = { entities: [Invoice, InvoiceLine], migrations: [CreateBilling1763800000100] };

let config: ClusterConfig;
const running: GatewayRuntime[] = [];

async function start(options: Partial<GatewayOptions> = {}): Promise<GatewayRuntime> {
  const runtime = await GatewayRuntime.start(resolveGatewayOptions({ ...config, ...BILLING, ...options }), {
    log: SILENT_LOG,
  });
  running.push(runtime);
  return runtime;
}

/** Migrates everything, and ends again. */
async function migrate(options: Partial<GatewayOptions> = {}): Promise<void> {
  const runtime = await start(options);
  running.splice(running.indexOf(runtime), 1);
  await runtime.close();
}

function onShard(index: number, sql: string): Promise<unknown> {
  return runAsAdmin(config.shards[index]?.primary.adminUrl ?? '', sql);
}

beforeEach(async () => {
  config = await ownDatabases();
});

afterEach(async () => {
  await Promise.all(running.splice(0).map((runtime) => runtime.close()));
});

describe('the gate before a shard', () => {
  it('closes while migrations are pending, says so, and opens by itself when they were applied', async () => {
    await migrate({ entities: [], migrations: [] });
    const runtime = await start({ migrateOnStart: false });
    expect(runtime.gate.closedBecause('s0')).toContain('1 migrations are pending; run shardgate migrate');
    expect(() => {
      runtime.gate.assertServed('s0');
    }).toThrow('Shard s0 is unavailable');
    await migrate();
    await eventually('both are served', () =>
      ['s0', 's1'].every((shardId) => runtime.gate.closedBecause(shardId) === undefined),
    );
  });

  it('closes for the one shard on which row-level security is not in force, until it is', async () => {
    await migrate();
    await onShard(1, 'ALTER TABLE billing.invoices NO FORCE ROW LEVEL SECURITY');
    const runtime = await start({ migrateOnStart: false });
    expect(runtime.gate.closedBecause('s0')).toBeUndefined();
    expect(runtime.gate.closedBecause('s1')).toContain('row-level security is not in force');
    await onShard(1, 'ALTER TABLE billing.invoices FORCE ROW LEVEL SECURITY');
    await eventually('s1 is served', () => runtime.gate.closedBecause('s1') === undefined);
  });

  it('closes for a database that is another shard’s', async () => {
    await migrate();
    const [s0, s1] = config.shards;
    const swapped = [
      { ...s1, id: 's0' },
      { ...s0, id: 's1' },
    ] as typeof config.shards;
    const runtime = await start({ migrateOnStart: false, shards: swapped });
    expect(runtime.gate.closedBecause('s0')).toContain('correct its url');
  });

  it('closes for the one of three shards whose schema differs, until it does not', async () => {
    const more = await ownDatabases();
    const third = { id: 's2', primary: more.shards[0]?.primary, replicas: [] };
    config = { ...config, shards: [...config.shards, third] } as ClusterConfig;
    await migrate();
    await onShard(2, 'CREATE INDEX by_hand ON billing.invoices (number)');
    const runtime = await start({ migrateOnStart: false });
    expect(runtime.gate.closedBecause('s0')).toBeUndefined();
    expect(runtime.gate.closedBecause('s2')).toContain('differs from the other shards');
    await onShard(2, 'DROP INDEX billing.by_hand');
    await eventually('s2 is served', () => runtime.gate.closedBecause('s2') === undefined);
  });
});
