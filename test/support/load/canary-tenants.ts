import { Decimal } from 'decimal.js';
import type { GatewayRuntime } from '../../../src/gateway/gateway-runtime.js';
import { GatewayContext } from '../../../src/index.js';
import type { ClusterConfig } from '../../../src/sharding/cluster/cluster-config.js';
import { Invoice, InvoiceLine } from '../billing.js';
import { runAsAdmin } from '../own-databases.js';

/** A user of a tenant. Every row of theirs says in its own text whose it is. */
export interface CanaryUser {
  readonly userId: string;
  readonly shardId: string;
  /** The canaries of their invoices, in the order of the alphabet; the last one is of the row with `sharedId`. */
  readonly numbers: readonly string[];
  /** The canaries of their invoices' lines. */
  readonly lines: readonly string[];
  readonly ids: readonly string[];
  /** The id of one invoice; every tenant has an invoice of this id, on the same shard. */
  readonly sharedId: string;
}

/** A tenant with a user on each of the two shards. Its users are called as other tenants' users are. */
export interface CanaryTenant {
  readonly tenantId: string;
  readonly users: readonly [CanaryUser, CanaryUser];
}

const INVOICES_PER_USER = 3;
const USER_NAMES = Array.from({ length: 40 }, (_, index) => `user${index}`);

/** Makes tenants with rows whose text names their owner. */
export async function plantCanaries(
  { gateway }: GatewayRuntime,
  { shards }: Pick<ClusterConfig, 'shards'>,
  count: number,
): Promise<CanaryTenant[]> {
  const sharedIds = new Map<string, string>();
  const tenants: CanaryTenant[] = [];
  for (let index = 0; index < count; index += 1) {
    const tenantId = `tenant-${String(index).padStart(2, '0')}`;
    const plant = async (shardId: string): Promise<CanaryUser> => {
      const userId = USER_NAMES.find((name) => gateway.route({ tenantId, userId: name }).shardId === shardId);
      if (userId === undefined) throw new Error(`No user of ${tenantId} is on ${shardId}.`);
      const sharedId = sharedIds.get(shardId) ?? gateway.mintId(userId);
      sharedIds.set(shardId, sharedId);
      return plantUser({ gateway, tenantId, userId, shardId, sharedId });
    };
    const users = await GatewayContext.run({ tenantId, actor: 'test' }, async () => {
      return [await plant('s0'), await plant('s1')] as const;
    });
    tenants.push({ tenantId, users: [users[0], users[1]] });
  }
  for (const { id, primary } of shards) {
    await runAsAdmin(primary.adminUrl, sharedRowsSql(tenants, id));
  }
  return tenants;
}

async function plantUser(place: {
  readonly gateway: GatewayRuntime['gateway'];
  readonly tenantId: string;
  readonly userId: string;
  readonly shardId: string;
  readonly sharedId: string;
}): Promise<CanaryUser> {
  const { gateway, tenantId, userId, shardId, sharedId } = place;
  const numbers = Array.from({ length: INVOICES_PER_USER }, (_, index) => `${tenantId}/${userId}/${index}`);
  const lines = numbers.flatMap((number) => [`${number}/a`, `${number}/b`]);
  const saved = await gateway
    .repository(Invoice)
    .forUser(userId)
    .save(
      numbers.map((number) => ({
        number,
        total: new Decimal(1),
        lines: ['a', 'b'].map((line) => Object.assign(new InvoiceLine(), { what: `${number}/${line}` })),
      })),
    );
  return {
    userId,
    shardId,
    sharedId,
    numbers: [...numbers, sharedNumber(tenantId, userId)],
    lines,
    ids: [...saved.map(({ id }) => id), sharedId],
  };
}

/**
 * One row of the same id for each tenant: whoever finds rows by their id alone mixes them up. Each gets a bucket
 * of its own, since within one bucket an id is unique.
 */
function sharedRowsSql(tenants: readonly CanaryTenant[], shardId: string): string {
  const rows = tenants.flatMap(({ tenantId, users }, bucket) =>
    users
      .filter((user) => user.shardId === shardId)
      .map(({ userId, sharedId }) => {
        const number = sharedNumber(tenantId, userId);
        return `('${tenantId}', '${sharedId}', '${userId}', ${bucket}, '${number}', 1)`;
      }),
  );
  return `
    INSERT INTO billing.invoices (tenant_id, id, user_id, bucket, number, total)
    VALUES ${rows.join(', ')}`;
}

function sharedNumber(tenantId: string, userId: string): string {
  return `${tenantId}/${userId}/shared`;
}
