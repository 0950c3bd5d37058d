import { Command } from 'commander';
import type { z } from 'zod';
import { ValidationError } from '../common/gateway-error.js';
import { OperatorKeys } from '../modules/tenants/operator-keys.js';
import { newTenantSchema } from '../modules/tenants/tenant-schemas.js';
import { TenantStore } from '../modules/tenants/tenant-store.js';
import type { Tenant, TenantStatus } from '../modules/tenants/tenant.js';
import { ShardMapStore } from '../sharding/topology/shard-map-store.js';
import { withCatalog } from './catalog-session.js';
import { renderTable } from './table.js';

const PAGE = 500;

const EXAMPLES = `
Examples:
  $ shardgate tenants list
  $ shardgate tenants create acme --name "Acme Ltd"
  $ shardgate tenants create bigbank --name "Big Bank" --dedicated s1
  $ shardgate tenants suspend acme
  $ shardgate tenants add-key acme
  $ shardgate tenants operator-key --rotate

Running gateways follow within seconds.
`;

/** `shardgate tenants`: what the administration's HTTP routes do, straight on the catalog. */
export function tenantsCommand(): Command {
  const tenants = new Command('tenants')
    .description('list, create and change tenants and keys')
    .addHelpText('after', EXAMPLES);
  tenants
    .command('list')
    .description('list all tenants')
    .option('--json', 'print JSON')
    .action(async ({ json }: { json?: true }) => {
      const all = await withTenants(listAll);
      console.log(json === true ? JSON.stringify(all, undefined, 2) : tableOf(all));
    });
  tenants
    .command('create <id>')
    .description('create a tenant and print its key, this once')
    .option('--name <name>', 'its name (default: its id)')
    .option('--dedicated <shard>', 'keep all its users on this shard')
    .option('--sub-minor-units', 'let amounts have four fraction digits in every currency')
    .action(async (id: string, options: CreateOptions) => {
      const wanted = newTenantOf(id, options);
      const { apiKey } = await withTenants((store) => store.create(wanted));
      console.log(apiKey);
    });
  tenants
    .command('suspend <id>')
    .description('refuse its requests; its data stays')
    .action((id: string) => setStatus(id, 'suspended'));
  tenants
    .command('activate <id>')
    .description('serve a suspended tenant again')
    .action((id: string) => setStatus(id, 'active'));
  tenants
    .command('add-key <id>')
    .description('add a key and print it, this once; the others stay good')
    .action(async (id: string) => {
      const { apiKey } = await withTenants((store) => store.addKey(id));
      console.log(apiKey);
    });
  tenants
    .command('delete-key <id> <keyId>')
    .description('end a key; its id stands between the underscores of the key')
    .action(async (id: string, keyId: string) => {
      await withTenants((store) => store.revokeKey(id, keyId));
      console.log(`${keyId} is no longer good.`);
    });
  tenants
    .command('operator-key')
    .description("make a new operator's key and print it, this once")
    .requiredOption('--rotate', "confirm that the operator's present keys end")
    .action(async () => {
      console.log(await withCatalog((catalog) => new OperatorKeys(catalog).rotate()));
    });
  return tenants;
}

interface CreateOptions {
  readonly name?: string;
  readonly dedicated?: string;
  readonly subMinorUnits?: true;
}

function newTenantOf(id: string, options: CreateOptions): z.output<typeof newTenantSchema> {
  const { name = id, dedicated, subMinorUnits } = options;
  const parsed = newTenantSchema.safeParse({
    id,
    name,
    ...(dedicated !== undefined && { placement: { mode: 'dedicated', shardId: dedicated } }),
    ...(subMinorUnits === true && { subMinorUnits }),
  });
  if (parsed.success) return parsed.data;
  throw new ValidationError(
    parsed.error.issues.map(({ path, message }) => ({ path: path.join('.'), message })),
  );
}

function withTenants<T>(run: (store: TenantStore) => Promise<T>): Promise<T> {
  return withCatalog((catalog, { shards }) => {
    const shardIds = shards.map(({ id }) => id);
    return run(new TenantStore(catalog, new ShardMapStore(catalog), shardIds));
  });
}

async function listAll(store: TenantStore): Promise<Tenant[]> {
  const all: Tenant[] = [];
  for (let page = await store.list({ limit: PAGE }); page.length > 0;) {
    all.push(...page);
    page = await store.list({ afterId: all.at(-1)?.id ?? '', limit: PAGE });
  }
  return all;
}

async function setStatus(id: string, status: TenantStatus): Promise<void> {
  await withTenants((store) => store.update(id, { status }));
  console.log(`${id} is ${status}.`);
}

function tableOf(tenants: readonly Tenant[]): string {
  const rows = tenants.map(({ id, name, status, placement, createdAt }) => [
    id,
    name,
    status,
    placement.mode === 'dedicated' ? `dedicated to ${placement.shardId}` : 'pooled',
    createdAt.toISOString(),
  ]);
  return renderTable(['ID', 'NAME', 'STATUS', 'PLACEMENT', 'CREATED'], rows);
}
