import { spawn } from 'node:child_process';
import { join } from 'node:path';
import type { ClusterConfig } from '../../src/sharding/cluster/cluster-config.js';

export async function startGateway(config: ClusterConfig) {
  const child = spawn(
    process.execPath,
    ['--import', './test/support/register-typescript.js', 'test/support/zz-try-process.ts'],
    {
      cwd: join(import.meta.dirname, '../..'),
      env: { ...process.env, CONFIG: JSON.stringify(config) },
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  const url = await new Promise<string>((resolve, reject) => {
    child.stdout.on('data', (d) => resolve(JSON.parse(String(d)).url));
    child.on('exit', (c) => reject(new Error('exit ' + c)));
  });
  return {
    url,
    operatorKey: 'operator-key-of-tests',
    stop: () =>
      new Promise<void>((r) => {
        child.on('exit', () => r());
        child.kill('SIGTERM');
      }),
  };
}
