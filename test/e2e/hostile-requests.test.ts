import { beforeAll, describe, expect, it } from '@jest/globals';
import type { ClusterConfig } from '../../src/sharding/cluster/cluster-config.js';
import { GatewayProcess } from '../support/gateway-process.js';
import { runHostileRequests, type HostileRun } from '../support/hostile-requests.js';
import { HostileClient } from '../support/hostile/hostile-client.js';
import { wellBehaved } from '../support/hostile/hostile-generator.js';
import { CANARY_AMOUNT, makeWorld, type HostileWorld } from '../support/hostile/hostile-world.js';
import { operationsOf, type OpenApiDocument, type Operation } from '../support/hostile/openapi-document.js';
import { lateRefusals } from '../support/hostile/refusals.js';
import { rowChecksums, type TableSum } from '../support/hostile/row-checksum.js';
import { assertLedgerSound } from '../support/ledger-check.js';
import { ownDatabases } from '../support/own-databases.js';

/** Another seed is another run; a failure prints the one that it had. */
const SEED = Number(process.env.SHARDGATE_HOSTILE_SEED ?? 20_261_122);
const PAIRS = Number(process.env.SHARDGATE_HOSTILE_PAIRS ?? 600);
const REQUESTS_MIN = 5_000;
/** Served, but no part of the interface that the document is about. */
const UNDOCUMENTED_ROUTES = /^(\/docs\b.*|\/openapi\.json|unknown)$/;
const FAULTS_SHOWN = 20;
const LOG_LEVELS_EXPECTED = ['debug', 'info', 'warn'];

let config: ClusterConfig;
let gateway: GatewayProcess;
let operations: Operation[];
let world: HostileWorld;
let before: Record<string, TableSum>;
let after: Record<string, TableSum>;
let run: HostileRun;

beforeAll(async () => {
  config = await ownDatabases();
  gateway = await GatewayProcess.start({ config });
  operations = operationsOf((await (await gateway.request('/openapi.json')).json()) as OpenApiDocument);
  world = await makeWorld(gateway);
  before = await rowChecksums(config);
  run = await runHostileRequests(gateway, operations, world, { seed: SEED, pairs: PAIRS });
  after = await rowChecksums(config);
}, 300_000);

/** The routes of the contract that this release has. */
const ROUTES = [
  'post /v1/accounts',
  'get /v1/accounts',
  'patch /v1/accounts',
  'get /v1/accounts/{id}',
  'patch /v1/accounts/{id}',
  'post /v1/accounts/{id}/deposits',
  'post /v1/accounts/{id}/withdrawals',
  'get /v1/accounts/{id}/transactions',
  'get /v1/transactions/{id}',
  'post /v1/transfers',
  'post /v1/transfers/batch',
  'get /v1/transfers/{id}',
  'post /v1/transfers/{id}/post',
  'post /v1/transfers/{id}/void',
  'get /v1/reports/balances',
  'post /v1/admin/tenants',
  'get /v1/admin/tenants',
  'get /v1/admin/tenants/{id}',
  'patch /v1/admin/tenants/{id}',
  'post /v1/admin/tenants/{id}/api-keys',
  'delete /v1/admin/tenants/{id}/api-keys/{keyId}',
  'get /v1/admin/shards',
  'get /v1/admin/route',
  'get /v1/admin/transactions/in-doubt',
  'get /v1/admin/cache',
  'delete /v1/admin/cache',
  'get /health/live',
  'get /health/ready',
  'get /metrics',
];

describe('the OpenAPI document', () => {
  it('has every route of the contract that there is, with the way to each', () => {
    expect(operations.map(({ name }) => name)).toEqual(expect.arrayContaining(ROUTES));
    const nameless = operations.filter(({ path, parameters }) =>
      [...path.matchAll(/\{(\w+)\}/g)].some(
        ([, name]) => !parameters.some((parameter) => parameter.in === 'path' && parameter.name === name),
      ),
    );
    expect(nameless).toEqual([]);
  });

  it('has every route that any of the requests came to', () => {
    const paths = new Set(operations.map(({ path }) => path.replaceAll(/\{(\w+)\}/g, ':$1')));
    const reached = gateway.stderr
      .trim()
      .split('\n')
      .map((line) => (JSON.parse(line) as { route?: string }).route ?? 'unknown');
    expect(reached).toContain('/v1/accounts/:id/deposits');
    const others = [...new Set(reached)].filter((route) => !paths.has(route));
    expect(others.filter((route) => !UNDOCUMENTED_ROUTES.test(route))).toEqual([]);
  });
});

describe('thousands of hostile requests, made from the OpenAPI document', () => {
  it('are made from every operation, and there are enough of them', () => {
    const sent = [...run.requests.values()].reduce((sum, requests) => sum + requests, 0);
    expect(sent).toBeGreaterThanOrEqual(REQUESTS_MIN);
    const least = operations.map(({ name }) => [name, run.requests.get(name) ?? 0] as const);
    expect(least.filter(([, requests]) => requests < 20)).toEqual([]);
  });

  it('aim at every write behind its key', () => {
    const unknown = operations.filter((operation) => operation.writes && !lateRefusals(operation, world));
    // A new write: say in test/support/hostile/refusals.ts for what it is refused late.
    expect(unknown.map(({ name }) => name)).toEqual([]);
  });

  it('are each answered as they should be', () => {
    expect(run.faults.slice(0, FAULTS_SHOWN).join('\n')).toBe('');
  });

  it('get no status that their operation does not document', () => {
    expect([...run.undocumented]).toEqual([]);
  });

  it('change no row of any table', () => {
    const accounts = Object.entries(before).filter(([table]) => table.endsWith(' finance.accounts'));
    // On which shard they are is a matter of chance.
    expect(accounts.reduce((sum, [, { rows }]) => sum + rows, 0)).toBeGreaterThan(0);
    expect(after).toEqual(before);
  });

  it('leave every ledger sound', async () => {
    await expect(assertLedgerSound(config)).resolves.toBeUndefined();
  });

  it('leave the process well, with nothing unexpected and no secret in its log', async () => {
    expect(await (await gateway.request('/health/live')).json()).toEqual({ status: 'ok' });
    expect(await (await gateway.request('/health/ready')).json()).toMatchObject({ status: 'ok' });
    const lines = gateway.stderr.trim().split('\n');
    const errors = lines.filter(
      (line) => !LOG_LEVELS_EXPECTED.includes((JSON.parse(line) as { level: string }).level),
    );
    expect(errors).toEqual([]);
    for (const secret of [...world.secrets, ...world.canaries, CANARY_AMOUNT.slice(0, -2)]) {
      expect(gateway.stderr.includes(secret)).toBe(false);
    }
  });

  it('would have been accepted without what is wrong with them', async () => {
    const client = new HostileClient(gateway.url, 1);
    const answers: string[] = [];
    // What freezes, renames and deletes comes after what it would be in the way of.
    const changes = (operation: Operation): number => Number(['PATCH', 'DELETE'].includes(operation.method));
    for (const operation of [...operations].sort((a, b) => changes(a) - changes(b))) {
      const { status, text } = await client.send(wellBehaved(operation, world));
      if (status >= 300) answers.push(`${operation.name}: ${status} ${text}`);
    }
    client.close();
    expect(answers).toEqual([]);
  });
});
