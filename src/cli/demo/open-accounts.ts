import pLimit from 'p-limit';
import { accountViewSchema, type AccountView } from '../../modules/accounts/account-view.js';
import { routeSchema } from '../../modules/shards/shard-schemas.js';
import { createdTenantSchema } from '../../modules/tenants/tenant-schemas.js';
import type { DemoBank, DemoScene } from './demo-bank.js';

const TENANT_ID = 'bank';
const CUSTOMERS = 200;
/** Requests under way at once. */
const CONCURRENCY = 16;
const BAR_WIDTH = 40;

/** Creates a tenant and an account for each of its customers, and shows where they came to be. */
export async function openAccounts(scene: DemoScene): Promise<DemoBank> {
  const key = await createTenant(scene);
  const accounts = await createAccounts(scene, key);
  const shardOf = await landings(scene, accounts, key);
  return { tenantId: TENANT_ID, key, accounts, shardOf };
}

async function createTenant({ site, client, narrator }: DemoScene): Promise<string> {
  narrator.chapter('A tenant');
  const { body } = await client.send(createdTenantSchema, {
    method: 'POST',
    path: '/v1/admin/tenants',
    key: site.operatorKey,
    body: { id: TENANT_ID, name: 'A bank' },
  });
  narrator.say(`POST /v1/admin/tenants: tenant "${body.id}", with a key of its own.`);
  narrator.say('From here on its service speaks, and names a customer in X-User-Id: the shard key.');
  return body.apiKey;
}

async function createAccounts({ client, narrator }: DemoScene, key: string): Promise<AccountView[]> {
  narrator.chapter(`${CUSTOMERS} customers open an account`);
  const limit = pLimit(CONCURRENCY);
  const startedAt = performance.now();
  const create = async (number: number): Promise<AccountView> => {
    const { body } = await client.send(accountViewSchema, {
      method: 'POST',
      path: '/v1/accounts',
      key,
      userId: `customer-${number}`,
      body: {
        accountNumber: `GEN-${100_000 + number}`,
        currency: 'EUR',
        openingBalance: `${100 + number}.00`,
      },
    });
    return body;
  };
  const numbers = Array.from({ length: CUSTOMERS }, (_, index) => index + 1);
  const accounts = await narrator.progress('POST /v1/accounts', CUSTOMERS, (advance) =>
    Promise.all(
      numbers.map((number) =>
        limit(async () => {
          const account = await create(number);
          advance();
          return account;
        }),
      ),
    ),
  );
  const seconds = (performance.now() - startedAt) / 1000;
  narrator.say(`Done in ${seconds.toFixed(1)} s, opening deposits included.`);
  return accounts;
}

/** Asks the gateway for each customer's route, and each account for the shard that it is read from. */
async function landings(
  { site, client, narrator }: DemoScene,
  accounts: readonly AccountView[],
  key: string,
): Promise<Map<string, string>> {
  narrator.chapter('Where they live');
  const limit = pLimit(CONCURRENCY);
  const shardOf = new Map<string, string>();
  let agreeing = 0;
  const locate = async ({ id, userId }: AccountView): Promise<void> => {
    const route = await client.send(routeSchema, {
      method: 'GET',
      path: `/v1/admin/route?tenantId=${TENANT_ID}&userId=${userId}`,
      key: site.operatorKey,
    });
    const read = await client.send(accountViewSchema, {
      method: 'GET',
      path: `/v1/accounts/${id}`,
      key,
      userId,
    });
    shardOf.set(userId, route.body.shardId);
    if (read.shard === route.body.shardId) agreeing += 1;
  };
  await Promise.all(accounts.map((account) => limit(locate, account)));
  for (const { id: shardId } of site.cluster.config.shards) {
    const count = [...shardOf.values()].filter((shard) => shard === shardId).length;
    const share = count / accounts.length;
    const bar = '#'.repeat(Math.round(share * BAR_WIDTH)).padEnd(BAR_WIDTH, '.');
    narrator.say(`${shardId}  ${bar}  ${count} customers, ${(share * 100).toFixed(1)} %`);
  }
  narrator.say(
    `${agreeing} of ${accounts.length} accounts were read from the shard that /v1/admin/route names.`,
  );
  return shardOf;
}
