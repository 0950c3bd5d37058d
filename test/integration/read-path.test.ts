import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { Decimal } from 'decimal.js';
import { GatewayContext, type DataGateway } from '../../src/index.js';
import { SILENT_LOG } from '../../src/common/log.js';
import { resolveGatewayOptions } from '../../src/gateway/gateway-options.js';
import { GatewayRuntime } from '../../src/gateway/gateway-runtime.js';
import { DatabaseNode } from '../../src/sharding/connections/database-node.js';
import type { EmbeddedCluster } from '../../src/sharding/cluster/embedded-cluster.js';
import { CreateBilling1763800000100, Invoice, InvoiceLine } from '../support/billing.js';
import { startOwnCluster } from '../support/cluster.js';
import { eventually } from '../support/eventually.js';
import { runAsAdmin } from '../support/own-databases.js';

const TENANT = 'acme';

let cluster: EmbeddedCluster;
let runtime: GatewayRuntime;
let gateway: DataGateway;

function inScope<T>(userId: string | undefined, fn: () => Promise<T>): Promise<T> {
  return GatewayContext.run({ tenantId: TENANT, userId, actor: 'test' }, fn);
}

/** Invoices of one user, which replicas show. */
async function saved(userId: string, count: number): Promise<Invoice[]> {
  const wanted = Array.from({ length: count }, (_, index) => ({
    number: `${userId}-${index}`,
    total: new Decimal(index),
  }));
  const invoices = await inScope(userId, () => gateway.repository(Invoice).save(wanted));
  const { shardId } = gateway.route({ tenantId: TENANT, userId });
  const position = await runtime.monitor.currentPosition(shardId);
  await eventually('the replica shows them', () => runtime.monitor.isEverywhere(position));
  return invoices;
}

beforeAll(async () => {
  // Whatever stands in the way of replay on a replica is cancelled at once.
  cluster = await startOwnCluster({ shards: 1, replicas: 1, settings: { max_standby_streaming_delay: '0' } });
  const options = resolveGatewayOptions({
    ...cluster.config,
    entities: [Invoice, InvoiceLine],
    migrations: [CreateBilling1763800000100],
  });
  runtime = await GatewayRuntime.start(options, { log: SILENT_LOG });
  gateway = runtime.gateway;
}, 60_000);

afterEach(() => {
  jest.restoreAllMocks();
});

afterAll(async () => {
  await runtime.close();
});

describe('reads by id', () => {
  it('of one turn become one statement, and each finds its row', async () => {
    const invoices = await saved('ada', 100);
    const reads = jest.spyOn(DatabaseNode.prototype, 'read');
    const found = await inScope(undefined, () =>
      Promise.all(invoices.map(({ id }) => gateway.repository(Invoice).findById(id))),
    );
    expect(found.map((invoice) => invoice?.number)).toEqual(invoices.map(({ number }) => number));
    expect(reads).toHaveBeenCalledTimes(1);
  });

  it('that ask for the same row get an object each', async () => {
    const [invoice] = await saved('bea', 1);
    const id = invoice?.id ?? '';
    const repository = gateway.repository(Invoice);
    const [one, other] = await inScope(undefined, () =>
      Promise.all([repository.findById(id), repository.findById(id.toUpperCase())]),
    );
    if (one === null) throw new Error('The row was not found.');
    one.number = 'changed';
    expect(other).toBeInstanceOf(Invoice);
    expect(other?.number).toBe('bea-0');
  });

  it('show a user no row of another user, though they share a statement', async () => {
    const [invoice] = await saved('cleo', 1);
    const id = invoice?.id ?? '';
    const repository = gateway.repository(Invoice);
    const reads = jest.spyOn(DatabaseNode.prototype, 'read');
    const [own, others, services] = await inScope(undefined, () =>
      Promise.all([
        repository.forUser('cleo').findOneBy({ id }),
        repository.forUser('dora').findOneBy({ id }),
        repository.findById(id),
      ]),
    );
    expect([own?.id, others, services?.id]).toEqual([id, null, id]);
    expect(reads).toHaveBeenCalledTimes(1);
  });
});

describe('a read', () => {
  it('that replay cancels on a replica is answered by the next node', async () => {
    await saved('fay', 3);
    const adminUrl = cluster.config.shards[0]?.primary.adminUrl ?? '';
    const replicaUrl = cluster.config.shards[0]?.replicas[0]?.url ?? '';
    await eventually('the tenant can log in on the replica', () =>
      inScope('fay', async () => {
        await gateway.query('SELECT 1', [], { userId: 'fay' });
        return GatewayContext.trace()?.source === 'replica';
      }),
    );
    const sleeping = `SELECT FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%pg_sleep(2)%' AND pid <> pg_backend_pid()`;
    const answered = inScope('fay', async () => {
      const sql =
        'SELECT pg_sleep(2), number FROM (SELECT number FROM billing.invoices WHERE user_id = $1 LIMIT 1) i';
      const rows = await gateway.query<{ number: string }>(sql, ['fay'], { userId: 'fay' });
      return { rows: rows.length, source: GatewayContext.trace()?.source };
    });
    const onReplica = new URL(replicaUrl);
    const admin = new URL(adminUrl);
    onReplica.username = admin.username;
    onReplica.password = admin.password;
    await eventually('the read runs on the replica', async () => {
      const { rowCount } = await runAsAdmin(onReplica.href, sleeping);
      return rowCount === 1;
    });
    await runAsAdmin(adminUrl, 'BEGIN; LOCK TABLE billing.invoices IN ACCESS EXCLUSIVE MODE; COMMIT');
    expect(await answered).toEqual({ rows: 1, source: 'primary' });
  }, 30_000);

  it('goes on when a migration has changed what its prepared statement gives', async () => {
    const [invoice] = await saved('gus', 1);
    const read = () =>
      inScope(undefined, () => gateway.repository(Invoice).findById(invoice?.id ?? '', { from: 'primary' }));
    expect((await read())?.reminders).toBe(0);
    await runAsAdmin(
      cluster.config.shards[0]?.primary.adminUrl ?? '',
      'ALTER TABLE billing.invoices ALTER COLUMN reminders TYPE bigint',
    );
    expect((await read())?.reminders).toBe('0');
  });
});
