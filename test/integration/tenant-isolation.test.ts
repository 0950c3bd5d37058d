import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { SILENT_LOG } from '../../src/common/log.js';
import { resolveGatewayOptions } from '../../src/gateway/gateway-options.js';
import { GatewayRuntime } from '../../src/gateway/gateway-runtime.js';
import { GatewayContext, ScopeConflictError } from '../../src/index.js';
import type { ClusterConfig } from '../../src/sharding/cluster/cluster-config.js';
import { CreateBilling1763800000100, Invoice, InvoiceLine } from '../support/billing.js';
import { eventually } from '../support/eventually.js';
import { faultOf, type CanaryRead, type CanaryScope } from '../support/load/canary-read.js';
import { plantCanaries, type CanaryTenant } from '../support/load/canary-tenants.js';
import { NESTED_READS, RAW_READS } from '../support/load/raw-reads.js';
import { REPOSITORY_READS } from '../support/load/repository-reads.js';
import { TenantConditions } from '../support/load/tenant-conditions.js';
import { ownDatabases, runAsAdmin } from '../support/own-databases.js';
import { howMuch } from '../support/soak.js';

const TENANTS = howMuch({ short: 15, soak: 30 });
const REQUESTS = TENANTS * 10;
const TIMEOUT_MS = 180_000;
/** Each request makes so many-th of all kinds of read: a tenant's ten make each kind for each of its users. */
const SHARES = REQUESTS / TENANTS / 2;
/**
 * Fewer connections than tenants by far: each is used by all of them in turn. Nobody gives up waiting for one,
 * however busy the machine is.
 */
const POOL = { size: 2, overflow: 0, acquireTimeoutMs: TIMEOUT_MS };

let config: ClusterConfig;
let tenants: CanaryTenant[];
/** The gateway as it is, and one whose statements do not name the tenant. */
let gateway: GatewayRuntime;
let unconditional: GatewayRuntime;
const conditions = new TenantConditions();

function startGateway(): Promise<GatewayRuntime> {
  return GatewayRuntime.start(
    resolveGatewayOptions({
      ...config,
      pool: POOL,
      entities: [Invoice, InvoiceLine],
      migrations: [CreateBilling1763800000100],
    }),
    { log: SILENT_LOG },
  );
}

beforeAll(async () => {
  config = await ownDatabases();
  gateway = await startGateway();
  unconditional = await conditions.without(startGateway);
  tenants = await plantCanaries(gateway, config, TENANTS);
  await onEveryReplica('has the rows', async (query) => {
    const [row] = await query<{ count: number }>('SELECT count(*)::int AS count FROM billing.invoices');
    return row?.count === TENANTS * tenants[0]!.users[0].numbers.length;
  });
}, 90_000);

afterAll(async () => {
  await gateway.close();
  await conditions.without(() => unconditional.close());
});

type Query = <Row>(sql: string) => Promise<Row[]>;

/** Waits until every replica, asked with an administrator's login, says so. */
async function onEveryReplica(what: string, probe: (query: Query) => Promise<boolean>): Promise<void> {
  for (const { primary, replicas } of config.shards) {
    for (const replica of replicas) {
      const url = new URL(primary.adminUrl);
      url.port = new URL(replica.url).port;
      await eventually(`${replica.id} ${what}`, () =>
        probe(async <Row>(sql: string) => (await runAsAdmin(url.href, sql)).rows as Row[]),
      );
    }
  }
}

async function setRowLevelSecurity(state: 'ENABLE' | 'DISABLE'): Promise<void> {
  for (const { primary } of config.shards) {
    for (const table of ['invoices', 'invoice_lines']) {
      await runAsAdmin(primary.adminUrl, `ALTER TABLE billing.${table} ${state} ROW LEVEL SECURITY`);
    }
  }
  const sql = `
    SELECT count(*)::int AS count FROM pg_class
    WHERE relnamespace = 'billing'::regnamespace AND relkind = 'r' AND relrowsecurity`;
  const expected = state === 'ENABLE' ? 2 : 0;
  await onEveryReplica(`knows of ${state}`, async (query) => {
    return (await query<{ count: number }>(sql))[0]?.count === expected;
  });
}

/** Runs `work` while no policy is in force. */
async function withoutRowLevelSecurity<T>(work: () => Promise<T>): Promise<T> {
  await setRowLevelSecurity('DISABLE');
  try {
    return await work();
  } finally {
    await setRowLevelSecurity('ENABLE');
  }
}

/** A user whom a mix-up of tenants would show: same name, same shard, another tenant. */
function foreignTo(tenant: CanaryTenant, userIndex: 0 | 1): CanaryScope['foreign'] {
  const { userId } = tenant.users[userIndex];
  const namesake = tenants.find((other) => other !== tenant && other.users[userIndex].userId === userId);
  return (namesake ?? tenants.find((other) => other !== tenant)!).users[userIndex];
}

function scopeOf(runtime: GatewayRuntime, request: number): CanaryScope {
  const tenant = tenants[request % TENANTS]!;
  const userIndex = Math.floor(request / TENANTS) % 2 === 0 ? 0 : 1;
  return {
    runtime,
    tenant,
    user: tenant.users[userIndex],
    other: tenant.users[1 - userIndex]!,
    foreign: foreignTo(tenant, userIndex),
    from: { from: (request + Math.floor(request / TENANTS)) % 3 === 0 ? 'primary' : 'replica' },
  };
}

/** What one request does: its share of the reads one after the other, each beginning with another one. */
function shareOf(reads: readonly CanaryRead[], request: number): CanaryRead[] {
  const share = Math.floor(request / TENANTS / 2);
  const mine = reads.filter((_, index) => index % SHARES === share);
  const first = request % mine.length;
  return [...mine.slice(first), ...mine.slice(0, first)];
}

/**
 * All requests at once, each in its own scope, so that at any time all kinds of reads of all tenants are under
 * way.
 *
 * @returns what was wrong, by kind of read
 */
async function requestAll(
  runtime: GatewayRuntime,
  reads: readonly CanaryRead[],
  tenantCount = TENANTS,
): Promise<Map<string, string[]>> {
  const faults = new Map<string, string[]>();
  const all = Array.from({ length: REQUESTS }, (_, request) => request);
  const requests = all.filter((request) => request % TENANTS < tenantCount);
  const runs = requests.map((request) => {
    const scope = scopeOf(runtime, request);
    const { tenantId } = scope.tenant;
    return GatewayContext.run({ tenantId, userId: scope.user.userId, actor: 'test' }, async () => {
      for (const read of shareOf(reads, request)) {
        const fault = await faultOf(read, scope);
        if (fault !== undefined) faults.set(read.kind, [...(faults.get(read.kind) ?? []), fault]);
      }
    });
  });
  await Promise.all(runs);
  return faults;
}

describe(`${REQUESTS} requests at once of ${TENANTS} tenants over two connections per node`, () => {
  it.each(['', ', again over the same connections'])(
    'show each tenant its own rows only%s',
    async () => {
      const faults = await requestAll(gateway, [...REPOSITORY_READS, ...RAW_READS, ...NESTED_READS]);
      expect([...faults]).toEqual([]);
    },
    TIMEOUT_MS,
  );

  it(
    'show each tenant its own rows only though the statements do not name the tenant: policies hold them',
    async () => {
      const faults = await conditions.without(() => requestAll(unconditional, REPOSITORY_READS));
      expect([...faults]).toEqual([]);
      expect(conditions.removed).toBeGreaterThan(REPOSITORY_READS.length);
    },
    TIMEOUT_MS,
  );

  it(
    'show each tenant its own rows only though row-level security is disabled: the statements’ conditions hold them',
    async () => {
      const faults = await withoutRowLevelSecurity(() => requestAll(gateway, REPOSITORY_READS));
      expect([...faults]).toEqual([]);
    },
    TIMEOUT_MS,
  );

  it(
    'would each show rows of others with neither, so that the two tests above would notice',
    async () => {
      const faults = await withoutRowLevelSecurity(() =>
        conditions.without(() => requestAll(unconditional, REPOSITORY_READS, 5)),
      );
      const blind = REPOSITORY_READS.filter(({ kind }) => !faults.has(kind)).map(({ kind }) => kind);
      expect(blind).toEqual([]);
    },
    TIMEOUT_MS,
  );
});

describe('a scope', () => {
  it('cannot be left for another tenant by nesting, and goes on as it was', async () => {
    const [mine, theirs] = [tenants[0]!, tenants[1]!];
    const scope = { tenantId: mine.tenantId, userId: mine.users[0].userId, actor: 'test' };
    const found = await GatewayContext.run(scope, () => {
      expect(() => GatewayContext.run({ ...scope, tenantId: theirs.tenantId }, () => 1)).toThrow(
        ScopeConflictError,
      );
      return gateway.gateway.repository(Invoice).find();
    });
    expect(found.map(({ number }) => number).sort()).toEqual([...mine.users[0].numbers].sort());
  });
});
