import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, sep } from 'node:path';

/** What of one package runs in this process. */
export interface LoadedPackage {
  /** The version of each copy that was loaded. */
  readonly versions: string[];
  /** Whether the gateway's imports of the package end at the very module that the application's do. */
  readonly sharedWithGateway: boolean;
}

/** How the packages that application and gateway must share were loaded. Call it when both are at work. */
export function loadedPackages(names: readonly string[]): Record<string, LoadedPackage> {
  const requireOfGateway = createRequire(require.resolve('shardgate'));
  return Object.fromEntries(
    names.map((name): [string, LoadedPackage] => [
      name,
      { versions: versionsOf(name), sharedWithGateway: requireOfGateway(name) === require(name) },
    ]),
  );
}

function versionsOf(name: string): string[] {
  const folder = `${sep}${join('node_modules', name)}${sep}`;
  const copies = new Set<string>();
  for (const file of Object.keys(require.cache)) {
    const end = file.lastIndexOf(folder);
    if (end !== -1) copies.add(file.slice(0, end + folder.length));
  }
  return [...copies].map((copy) => {
    const { version } = JSON.parse(readFileSync(join(copy, 'package.json'), 'utf8')) as { version: string };
    return version;
  });
}
