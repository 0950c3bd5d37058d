import { DEMO_TENANT_ID, type FirstKeys } from './first-run.js';

/** What there is to tell once the service listens. */
export interface Welcome {
  readonly url: string;
  readonly version: string;
  readonly startedInMs: number;
  /** Shard to number of replicas. */
  readonly shards: ReadonlyMap<string, number>;
  /** Of the embedded cluster: how further processes join. */
  readonly configPath?: string | undefined;
  readonly operatorKeyIsConfigured: boolean;
  readonly firstKeys: FirstKeys;
}

/** The text for the person who started the service: where it is, its keys, and what to try first. */
export function welcomeText(welcome: Welcome): string {
  const { url, version, startedInMs, shards, configPath } = welcome;
  const layout = [...shards].map(([id, replicas]) => `${id} (1 primary, ${countOf(replicas)})`).join(', ');
  const lines = [
    '',
    `Shardgate ${version} is ready, after ${(startedInMs / 1000).toFixed(1)} s`,
    '',
    `  URL       ${url}`,
    `  Docs      ${url}/docs`,
    `  Shards    ${layout}`,
    ...(configPath === undefined ? [] : [`  Join      ${joinCommand(configPath, url)}`]),
    '',
    ...keyLines(welcome),
    '',
    'Try it:',
    '',
    firstCurl(welcome),
    '',
    'Ctrl-C stops everything.',
    '',
  ];
  return lines.join('\n');
}

function keyLines({ firstKeys, operatorKeyIsConfigured }: Welcome): string[] {
  const { operatorKey, demoKey } = firstKeys;
  const shown = [
    ...(operatorKey === undefined ? [] : [`  Operator  ${operatorKey}`]),
    ...(demoKey === undefined ? [] : [`  Tenant    ${demoKey}  (tenant "${DEMO_TENANT_ID}")`]),
  ];
  if (shown.length > 0) return ['Keys, shown this once:', '', ...shown];
  return operatorKeyIsConfigured
    ? ["The operator's key is that of SHARDGATE_OPERATOR_KEY."]
    : [
        'Keys were shown at the first start. For new ones:',
        '',
        '  npx shardgate tenants operator-key --rotate',
        '  npx shardgate tenants add-key <tenant>',
      ];
}

/** Works as it is pasted: whichever key is known now decides what can be tried. */
function firstCurl({ url, firstKeys: { operatorKey, demoKey } }: Welcome): string {
  if (demoKey !== undefined) {
    return curl(`${url}/v1/accounts`, demoKey, ['X-User-Id: alice'], {
      accountNumber: 'ALICE-1',
      currency: 'EUR',
      openingBalance: '100.00',
    });
  }
  if (operatorKey !== undefined) {
    return curl(`${url}/v1/admin/tenants`, operatorKey, [], { id: 'acme', name: 'Acme' });
  }
  return `  curl -sS ${url}/health/ready`;
}

function curl(url: string, key: string, headers: readonly string[], body: object): string {
  const all = [`Authorization: Bearer ${key}`, 'Content-Type: application/json', ...headers];
  const options = all.map((header) => `-H '${header}'`);
  return [`  curl -sS ${url}`, ...options, `-d '${JSON.stringify(body)}'`].join(' \\\n    ');
}

function joinCommand(configPath: string, url: string): string {
  const nextPort = Number(new URL(url).port) + 1;
  return `SHARDGATE_CONFIG=${quoted(configPath)} PORT=${nextPort} npx shardgate start`;
}

function quoted(path: string): string {
  return /^[\w./-]+$/.test(path) ? path : `'${path.replaceAll("'", `'\\''`)}'`;
}

function countOf(replicas: number): string {
  return replicas === 1 ? '1 replica' : `${replicas} replicas`;
}
