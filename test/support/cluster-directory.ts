import { randomBytes } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A directory name for one test cluster, which nobody else uses; the cluster makes and removes it. */
export function newClusterDirectory(suffix = ''): string {
  return join(tmpdir(), `shardgate-test-${process.pid}-${randomBytes(4).toString('hex')}${suffix}`);
}
