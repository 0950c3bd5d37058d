import { join } from 'node:path';
import type { ClusterTlsFiles } from '../../src/sharding/cluster/cluster-options.js';

const directory = join(import.meta.dirname, 'tls');

/**
 * A certificate for 127.0.0.1 and localhost until 2056, and the authority that signed it. Its key is public, by
 * being here: it protects nothing, and the authority's key was thrown away.
 */
export const TEST_TLS: ClusterTlsFiles = {
  certFile: join(directory, 'server.crt'),
  keyFile: join(directory, 'server.key'),
  caFile: join(directory, 'ca.crt'),
};
