import { readFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { releaseVersion } from '../../src/cli/release.js';

/** What every report is about, whatever it measures. */
export function ownVersions(): Record<string, string> {
  const { node } = process.versions;
  return {
    shardgate: releaseVersion(),
    node,
    machine: `${cpus().length} x ${cpus()[0]?.model ?? 'unknown'}`,
  };
}

/** The installed version of a package. */
export async function packageVersion(name: string): Promise<string> {
  const text = await readFile(new URL(`../../node_modules/${name}/package.json`, import.meta.url), 'utf8');
  const { version } = JSON.parse(text) as { version: string };
  return version;
}
