import { Command, InvalidArgumentError } from 'commander';
import { relative } from 'node:path';
import type { Logger } from 'pino';
import { GatewayError } from '../common/gateway-error.js';
import { settledWithin } from '../common/settled-within.js';
import type { EmbeddedCluster } from '../sharding/cluster/embedded-cluster.js';
import { readConfigFile } from './config-file.js';
import { portSchema, readEnvironment, type Environment } from './environment.js';
import { reportFailure } from './failure.js';
import { assertCanListen } from './free-port.js';
import { releaseVersion } from './release.js';
import type { RunningService } from './service.js';
import { serviceLog } from './service-log.js';
import { awaitStop } from './stop-signal.js';
import { catalogIsBackText, welcomeText, welcomeWithoutCatalog, type GatewayPlace } from './welcome.js';

/** How long requests under way may take to finish once the process was asked to end. */
const SHUTDOWN_DEADLINE_MS = 10_000;

interface StartOptions {
  readonly shards?: number;
  readonly replicas?: number;
  readonly port?: number;
  readonly host?: string;
  readonly dataDir?: string;
}

const EXAMPLES = `
Examples:
  $ shardgate start                                   embedded PostgreSQL: 2 shards, a replica each
  $ shardgate start --shards 3 --replicas 2 --port 8080
  $ SHARDGATE_CONFIG=servers.yaml shardgate start     servers of your own, or of a running cluster

Environment: PORT, HOST, SHARDGATE_CONFIG, SHARDGATE_DATA_DIR, SHARDGATE_OPERATOR_KEY, LOG_LEVEL
`;

/** `shardgate start`: the service and, without a configuration, the servers it needs. */
export function startCommand(): Command {
  return new Command('start')
    .description('start the HTTP service; without SHARDGATE_CONFIG also PostgreSQL, from this package')
    .option('--shards <n>', 'shards of the embedded cluster', wholeNumber)
    .option('--replicas <n>', 'replicas of each of its shards', wholeNumber)
    .option('--port <port>', 'port to listen on (PORT, 3000)', port)
    .option('--host <host>', 'address to listen on (HOST, 127.0.0.1)')
    .option(
      '--data-dir <directory>',
      'where the embedded cluster keeps its data (SHARDGATE_DATA_DIR, .shardgate)',
    )
    .addHelpText('after', EXAMPLES)
    .action(async (options: StartOptions) => {
      process.exitCode = await run(options);
      process.exit();
    });
}

/** Runs until it is asked to end. @returns the exit code */
async function run(options: StartOptions): Promise<number> {
  const environment = withOptions(readEnvironment(), options);
  const log = serviceLog(environment.logLevel);
  const startedAt = performance.now();
  const stopped = awaitStop((error) => {
    log.fatal({ err: error }, 'something was thrown that nobody caught; stopping');
    reportFailure(error);
  });
  const stopping = new AbortController();
  void stopped.then(() => {
    stopping.abort();
  });
  await assertCanListen(environment.host, environment.port);
  // Not before it is needed: every other command would wait for the HTTP service to load as well.
  const { startService } = await import('./service.js');
  let cluster: EmbeddedCluster | undefined;
  let service: RunningService | undefined;
  try {
    cluster =
      environment.configFile === undefined ? await startCluster(environment, options, log) : undefined;
    const servers = await readConfigFile(cluster?.configPath ?? environment.configFile ?? '');
    service = await startService({ ...environment, servers, log, withDemo: cluster !== undefined });
    const welcome = {
      url: service.url,
      version: releaseVersion(),
      startedInMs: performance.now() - startedAt,
      shards: new Map(servers.shards.map(({ id, replicas = [] }) => [id, replicas.length])),
      configPath: cluster === undefined ? undefined : shortest(cluster.configPath),
      operatorKeyIsConfigured: environment.operatorKey !== undefined,
    };
    if (!stopping.signal.aborted) greet(welcome, service, log);
    const reason = await stopped;
    log.info({ reason }, 'stopping');
    return reason === 'failure' ? 1 : 0;
  } finally {
    if (service !== undefined) await stopInTime(service, log);
    await cluster?.stop();
  }
}

/** Keys that are made later are printed later, whatever goes on then: nobody could ever see them again. */
function greet(
  place: GatewayPlace,
  { firstKeys, awaitFirstKeys, catalogFault }: RunningService,
  log: Logger,
) {
  if (firstKeys !== undefined) {
    process.stdout.write(welcomeText(place, firstKeys));
    return;
  }
  process.stdout.write(welcomeWithoutCatalog(place, catalogFault()));
  awaitFirstKeys.then(
    (keys) => process.stdout.write(catalogIsBackText(place, keys)),
    (error: unknown) => {
      const code = error instanceof GatewayError ? error.code : 'internal_error';
      log.error({ code }, 'no first keys were made; see shardgate tenants operator-key --help');
    },
  );
}

async function startCluster(
  { dataDir }: Environment,
  { shards, replicas }: StartOptions,
  log: Logger,
): Promise<EmbeddedCluster> {
  const { EmbeddedCluster } = await import('../sharding/cluster/embedded-cluster.js');
  return EmbeddedCluster.start({ dataDir, shards, replicas, log });
}

/** What has not finished by the deadline is cut off: its connections end with the process. */
async function stopInTime(service: RunningService, log: Logger): Promise<void> {
  const closed = service.stop().catch((error: unknown) => {
    log.error({ err: error }, 'the service did not close cleanly');
  });
  if (await settledWithin(closed, SHUTDOWN_DEADLINE_MS)) return;
  log.warn({ deadlineMs: SHUTDOWN_DEADLINE_MS }, 'requests under way did not finish in time');
}

function withOptions(environment: Environment, { port, host, dataDir }: StartOptions): Environment {
  return {
    ...environment,
    port: port ?? environment.port,
    host: host ?? environment.host,
    dataDir: dataDir ?? environment.dataDir,
  };
}

function wholeNumber(text: string): number {
  if (!/^\d{1,3}$/.test(text)) throw new InvalidArgumentError('Give a whole number.');
  return Number(text);
}

function port(text: string): number {
  const parsed = portSchema.safeParse(text);
  if (!parsed.success) throw new InvalidArgumentError('Give a port from 0 to 65535.');
  return parsed.data;
}

/** As it is typed from here. */
function shortest(path: string): string {
  const fromHere = relative(process.cwd(), path);
  return fromHere.length < path.length ? fromHere : path;
}
