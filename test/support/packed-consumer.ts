import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cp, mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ownDatabases } from './own-databases.js';

const REPOSITORY = fileURLToPath(new URL('../..', import.meta.url));

/** What an application brings besides what comes with the package. */
const APPLICATION_TOOLS = ['typescript', '@types/node'];

/** How a command ended. */
interface Outcome {
  readonly code: number | string;
  readonly stdout: string;
  readonly stderr: string;
}

/** The package as it would be published. */
export interface Packed {
  /** Path of the archive. */
  readonly archive: string;
  /** Paths in the package, as npm lists them. */
  readonly files: readonly string[];
}

/** Runs a command to its end; it is stopped after 110 seconds, before the tests that wait for it give up. */
export function run(
  command: string,
  args: readonly string[],
  cwd: string,
  env: NodeJS.ProcessEnv = {},
): Promise<Outcome> {
  return new Promise((resolve) => {
    const options = { cwd, env: { ...process.env, ...env }, timeout: 110_000 };
    execFile(command, args, options, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : (error.code ?? error.signal ?? 'unknown'), stdout, stderr });
    });
  });
}

/** Packs the build that is there into an archive in this directory. */
export async function packLibrary(directory: string): Promise<Packed> {
  const cache = join(directory, 'npm-cache');
  const pack = ['pack', '--ignore-scripts', '--json', '--cache', cache, '--pack-destination', directory];
  const [report] = JSON.parse(await mustRun('npm', pack, REPOSITORY)) as [
    { filename: string; files: { path: string }[] },
  ];
  const files = report.files.map(({ path }) => path);
  if (!files.includes('dist/index.js')) throw new Error('There is no build to pack; run npm run build.');
  return { archive: join(directory, report.filename), files };
}

/**
 * An application of `test/consumers` in a directory of its own, with the package unpacked into its
 * node_modules, beside the packages that an installer adds, and nothing else. Nothing is fetched: packages
 * that the application has in a version of its own are linked from there, the others from the repository.
 */
export class PackedConsumer {
  readonly directory: string;
  /** Packages that are installed with the package: what it depends on, and its peers. */
  readonly installed: readonly string[];

  private constructor(directory: string, installed: readonly string[]) {
    this.directory = directory;
    this.installed = installed;
  }

  /** Installs the application of this name into a new directory below `parent`. */
  static async install(name: string, packed: Packed, parent: string): Promise<PackedConsumer> {
    const application = join(REPOSITORY, 'test/consumers', name);
    const directory = join(parent, name);
    const modules = join(directory, 'node_modules');
    const library = join(modules, 'shardgate');
    await mkdir(library, { recursive: true });
    await mustRun('tar', ['-xzf', packed.archive, '-C', library, '--strip-components=1'], directory);
    const installed = installedWith(
      JSON.parse(await readFile(join(library, 'package.json'), 'utf8')) as Manifest,
    );
    for (const dependency of [...installed, ...APPLICATION_TOOLS]) {
      await mkdir(dirname(join(modules, dependency)), { recursive: true });
      await symlink(sourceOf(dependency, application), join(modules, dependency));
    }
    const filter = (path: string): boolean => !['node_modules', 'dist'].includes(basename(path));
    await cp(application, directory, { recursive: true, filter });
    return new PackedConsumer(directory, installed);
  }

  /** Compiles the application with a compiler and settings of its own. */
  compile(): Promise<Outcome> {
    return run(process.execPath, ['node_modules/typescript/bin/tsc'], this.directory);
  }

  /** Runs the compiled application on empty databases of its own. */
  async start(): Promise<Outcome> {
    const config = join(this.directory, 'servers.json');
    await writeFile(config, JSON.stringify(await ownDatabases()), { mode: 0o600 });
    const env = { SHARDGATE_CONFIG: config };
    return run(process.execPath, ['dist/main.js'], this.directory, env);
  }
}

interface Manifest {
  readonly dependencies: Record<string, string>;
  readonly peerDependencies: Record<string, string>;
  readonly peerDependenciesMeta: Record<string, { readonly optional?: boolean }>;
}

/** Everything that an installer puts beside the package. */
function installedWith({ dependencies, peerDependencies, peerDependenciesMeta }: Manifest): string[] {
  const peers = Object.keys(peerDependencies).filter((name) => peerDependenciesMeta[name]?.optional !== true);
  return [...Object.keys(dependencies), ...peers];
}

function sourceOf(dependency: string, application: string): string {
  const own = join(application, 'node_modules', dependency);
  return existsSync(own) ? own : join(REPOSITORY, 'node_modules', dependency);
}

async function mustRun(command: string, args: readonly string[], cwd: string): Promise<string> {
  const { code, stdout, stderr } = await run(command, args, cwd);
  if (code !== 0) throw new Error(`${command} failed (${code}): ${stderr}`);
  return stdout;
}
