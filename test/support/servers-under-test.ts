import type { EmbeddedClusterOptions } from '../../src/sharding/cluster/cluster-options.js';
import { findOtherPostgres } from './other-postgres.js';
import { TEST_TLS } from './tls-files.js';

/**
 * Which servers this run tests against: those from npm, or, with SHARDGATE_TEST_SERVERS=installed, the
 * PostgreSQL that is installed on this machine, reached over TLS only.
 */
export function serversUnderTest(): Pick<EmbeddedClusterOptions, 'binDir' | 'tls'> {
  if (process.env.SHARDGATE_TEST_SERVERS !== 'installed') return {};
  const installed = findOtherPostgres();
  if (installed === undefined) {
    throw new Error('No PostgreSQL 15 or newer is installed here; leave SHARDGATE_TEST_SERVERS out.');
  }
  return { binDir: installed.binDir, tls: TEST_TLS };
}
