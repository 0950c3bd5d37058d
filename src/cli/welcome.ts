import { DEMO_TENANT_ID, type FirstKeys } from './first-run.js';

/** Where the service is, and what it consists of. */
export interface GatewayPlace {
  readonly url: string;
  readonly version: string;
  readonly startedInMs: number;
  /** Shard to number of replicas. */
  readonly shards: ReadonlyMap<string, number>;
  /** Of the embedded cluster: how further processes join. */
  readonly configPath?: string | undefined;
  readonly operatorKeyIsConfigured: boolean;
}

const FAREWELL = ['', 'Ctrl-C stops everything.', ''];

/** The text for the person who started the service: where it is, its keys, and what to try first. */
export function welcomeText(place: GatewayPlace, keys: FirstKeys): string {
  const lines = [
    '',
    `Shardgate ${place.version} is ready, after ${seconds(place)}`,
    '',
    ...placeLines(place),
    '',
    ...keyLines(place, keys),
    '',
    ...tryLines(place.url, keys),
    ...FAREWELL,
  ];
  return lines.join('\n');
}

/** The text of a start at which the catalog was away. @param fault why it cannot be used */
export function welcomeWithoutCatalog(place: GatewayPlace, fault: string | undefined): string {
  const lines = [
    '',
    `Shardgate ${place.version} listens, after ${seconds(place)}, but its catalog is away`,
    '',
    ...placeLines(place),
    '',
    ...(fault === undefined ? [] : [fault]),
    'Requests are answered with 503 until it is there; nothing has to be started again then.',
    place.operatorKeyIsConfigured
      ? CONFIGURED_KEY
      : "The operator's key, if this is the first start of all, is made and shown here then.",
    '',
    ...tryLines(place.url, {}),
    ...FAREWELL,
  ];
  return lines.join('\n');
}

/** What follows {@link welcomeWithoutCatalog} once the catalog is there. */
export function catalogIsBackText(place: GatewayPlace, keys: FirstKeys): string {
  const lines = [
    '',
    `The catalog is there: Shardgate serves at ${place.url}`,
    '',
    ...keyLines(place, keys),
    '',
    ...tryLines(place.url, keys),
    '',
  ];
  return lines.join('\n');
}

function seconds({ startedInMs }: GatewayPlace): string {
  return `${(startedInMs / 1000).toFixed(1)} s`;
}

function placeLines({ url, shards, configPath }: GatewayPlace): string[] {
  const layout = [...shards].map(([id, replicas]) => `${id} (1 primary, ${countOf(replicas)})`).join(', ');
  return [
    `  URL       ${url}`,
    `  Docs      ${url}/docs`,
    `  Shards    ${layout}`,
    ...(configPath === undefined ? [] : [`  Join      ${joinCommand(configPath, url)}`]),
  ];
}

const CONFIGURED_KEY = "The operator's key is that of SHARDGATE_OPERATOR_KEY.";

function keyLines({ operatorKeyIsConfigured }: GatewayPlace, { operatorKey, demoKey }: FirstKeys): string[] {
  const shown = [
    ...(operatorKey === undefined ? [] : [`  Operator  ${operatorKey}`]),
    ...(demoKey === undefined ? [] : [`  Tenant    ${demoKey}  (tenant "${DEMO_TENANT_ID}")`]),
  ];
  if (shown.length > 0) return ['Keys, shown this once:', '', ...shown];
  return operatorKeyIsConfigured
    ? [CONFIGURED_KEY]
    : [
        'Keys were shown at the first start. For new ones:',
        '',
        '  npx shardgate tenants operator-key --rotate',
        '  npx shardgate tenants add-key <tenant>',
      ];
}

function tryLines(url: string, keys: FirstKeys): string[] {
  return ['Try it:', '', firstCurl(url, keys)];
}

/** Works as it is pasted: whichever key is known now decides what can be tried. */
function firstCurl(url: string, { operatorKey, demoKey }: FirstKeys): string {
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
