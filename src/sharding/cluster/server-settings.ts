import type { ClusterTlsFiles } from './cluster-options.js';

/** The roles that exist on every primary and on the catalog. */
export const ROLES = {
  /** Superuser: migrations, `doctor`, imports. */
  admin: 'shardgate_admin',
  /** The gateway's own login, without rights over roles, row-level security or schema. */
  gateway: 'shardgate_gateway',
  /** Follows a primary, as replicas and strict caches do; nothing else. */
  replication: 'shardgate_replication',
} as const;

/** What one server's `postgresql.conf` is made of. */
export interface ServerSettingsInput {
  readonly nodeId: string;
  /** The title of the server's processes: unique on this machine. */
  readonly clusterName: string;
  readonly port: number;
  readonly fsync: boolean;
  /** Paths of the node's own copies, readable by the servers' user. */
  readonly tls: ClusterTlsFiles | undefined;
  /** Where a replica finds its primary; undefined for the others. */
  readonly follows: { readonly port: number; readonly password: string } | undefined;
  /** These win over everything else. */
  readonly extra: Readonly<Record<string, string>>;
}

const COMMON: Readonly<Record<string, string>> = {
  listen_addresses: '127.0.0.1',
  // A socket's path is limited to about 100 bytes, a data directory's is not.
  unix_socket_directories: '',
  password_encryption: 'scram-sha-256',
  max_connections: '200',
  max_prepared_transactions: '200',
  shared_buffers: '64MB',
  jit: 'off',
  wal_level: 'logical',
  max_wal_senders: '20',
  max_replication_slots: '20',
  // A replica that was away this much of the log catches up; one that was away longer is rebuilt.
  wal_keep_size: '256MB',
  // A cache that follows the log and stands still must not fill the disk: it begins anew.
  max_slot_wal_keep_size: '1GB',
  hot_standby: 'on',
  hot_standby_feedback: 'on',
  // What a replica says of the rows it still needs holds back the primary's clearing up until it says more. With the
  // default of ten seconds, an account that is written a thousand times a second has ten thousand dead versions.
  wal_receiver_status_interval: '1s',
  // A replica is back within this of its primary's return, in place of five seconds.
  wal_retrieve_retry_interval: '200ms',
  timezone: 'UTC',
  log_timezone: 'UTC',
  lc_messages: 'C',
  // Messages below LOG can quote keys and values; with them off, nothing that a client sent reaches the log.
  log_min_messages: 'log',
  log_min_error_statement: 'panic',
  log_statement: 'none',
  log_parameter_max_length: '0',
  log_parameter_max_length_on_error: '0',
  log_error_verbosity: 'terse',
  log_line_prefix: '%m [%p] ',
};

/** The text of `postgresql.conf`: everything, so that nothing depends on what `initdb` wrote. */
export function renderSettings(input: ServerSettingsInput): string {
  const settings: Record<string, string> = { ...COMMON };
  settings.port = String(input.port);
  settings.cluster_name = input.clusterName;
  if (!input.fsync) {
    settings.fsync = 'off';
    settings.full_page_writes = 'off';
  }
  if (input.tls !== undefined) {
    settings.ssl = 'on';
    settings.ssl_cert_file = input.tls.certFile;
    settings.ssl_key_file = input.tls.keyFile;
    settings.ssl_ca_file = input.tls.caFile;
  }
  if (input.follows !== undefined) {
    settings.primary_conninfo = [
      'host=127.0.0.1',
      `port=${input.follows.port}`,
      `user=${ROLES.replication}`,
      `password=${input.follows.password}`,
      `application_name=${input.nodeId}`,
      ...(input.tls === undefined
        ? ['sslmode=disable']
        : ['sslmode=verify-ca', `sslrootcert=${quoteConninfo(input.tls.caFile)}`]),
    ].join(' ');
  }
  return Object.entries({ ...settings, ...input.extra })
    .map(([name, value]) => `${name} = ${quoteSetting(value)}\n`)
    .join('');
}

/** The text of `pg_hba.conf`: passwords for everybody, from this machine only, with TLS where there is TLS. */
export function renderAccess(tls: boolean): string {
  const type = tls ? 'hostssl' : 'host';
  return ['127.0.0.1/32', '::1/128']
    .flatMap((address) => [
      `${type} all all ${address} scram-sha-256\n`,
      `${type} replication ${ROLES.replication} ${address} scram-sha-256\n`,
    ])
    .join('');
}

function quoteSetting(value: string): string {
  return `'${value.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`;
}

function quoteConninfo(value: string): string {
  return `'${value.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}
