import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { builtinModules } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import ts from 'typescript';
import { ownDatabases } from '../support/own-databases.js';

/*
 * The package as somebody gets it who installs it: packed, unpacked and put into an application's
 * node_modules, beside the packages that an installer adds, and nothing else. Nothing is fetched.
 */

const REPOSITORY = fileURLToPath(new URL('../..', import.meta.url));
const APPLICATION = join(REPOSITORY, 'test/consumers/nest12-esm');

/** What an application brings besides what comes with the package. */
const APPLICATION_TOOLS = ['typescript', '@types/node'];

interface Manifest {
  readonly dependencies: Record<string, string>;
  readonly peerDependencies: Record<string, string>;
  readonly peerDependenciesMeta: Record<string, { readonly optional?: boolean }>;
}

let directory: string;
let manifest: Manifest;
/** Paths in the package, as npm lists them. */
let packed: string[];

interface Outcome {
  readonly code: number | string;
  readonly stdout: string;
  readonly stderr: string;
}

function run(command: string, args: string[], cwd: string, env: NodeJS.ProcessEnv = {}): Promise<Outcome> {
  return new Promise((resolve) => {
    const options = { cwd, env: { ...process.env, ...env }, timeout: 180_000 };
    execFile(command, args, options, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : (error.code ?? error.signal ?? 'unknown'), stdout, stderr });
    });
  });
}

/** Everything that an installer puts beside the package. */
function installedWith({ dependencies, peerDependencies, peerDependenciesMeta }: Manifest): string[] {
  const peers = Object.keys(peerDependencies).filter((name) => peerDependenciesMeta[name]?.optional !== true);
  return [...Object.keys(dependencies), ...peers];
}

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'shardgate-consumer-'));
  const modules = join(directory, 'node_modules');
  const cache = join(directory, 'npm-cache');
  const pack = ['pack', '--ignore-scripts', '--json', '--cache', cache, '--pack-destination', directory];
  const { code, stdout, stderr } = await run('npm', pack, REPOSITORY);
  expect({ code, stderr: code === 0 ? '' : stderr }).toEqual({ code: 0, stderr: '' });
  const [{ filename, files }] = JSON.parse(stdout) as [{ filename: string; files: { path: string }[] }];
  packed = files.map(({ path }) => path);
  if (!packed.includes('dist/index.js')) throw new Error('There is no build to pack; run npm run build.');

  await mkdir(join(modules, 'shardgate'), { recursive: true });
  const unpack = [
    '-xzf',
    join(directory, filename),
    '-C',
    join(modules, 'shardgate'),
    '--strip-components=1',
  ];
  expect(await run('tar', unpack, directory)).toMatchObject({ code: 0 });
  manifest = JSON.parse(await readFile(join(modules, 'shardgate/package.json'), 'utf8')) as Manifest;
  for (const name of [...installedWith(manifest), ...APPLICATION_TOOLS]) {
    await mkdir(dirname(join(modules, name)), { recursive: true });
    await symlink(join(REPOSITORY, 'node_modules', name), join(modules, name));
  }
  await cp(APPLICATION, directory, { recursive: true });
}, 60_000);

afterAll(async () => {
  await rm(directory, { recursive: true, force: true });
});

describe('the package', () => {
  it('holds the built library, its licence, readme and changelog, and nothing else', () => {
    expect(packed).toContain('dist/index.js');
    expect(packed).toContain('dist/index.d.ts');
    const expected = /^(package\.json|README\.md|CHANGELOG\.md|LICENSE|dist\/.+(\.d\.ts|\.js|\.js\.map))$/;
    expect(packed.filter((path) => !expected.test(path))).toEqual([]);
  });

  it('reaches from its entry neither the service, the command line nor the embedded cluster', async () => {
    const { files } = await reachableFrom('dist/index.js');
    expect(files.length).toBeGreaterThan(20);
    expect(files.filter((path) => !packed.includes(path))).toEqual([]);
    expect(files.filter((path) => /^dist\/(cli|modules|main|sharding\/cluster)\b/.test(path))).toEqual([]);
  });

  it('imports from its entry only packages that are installed with it', async () => {
    const { packages } = await reachableFrom('dist/index.js');
    expect(packages).toContain('typeorm');
    expect(packages.filter((name) => !installedWith(manifest).includes(name))).toEqual([]);
  });

  it('can be required from CommonJS', async () => {
    const script = `
      const { DataGatewayModule, ShardedRepository } = require('shardgate');
      console.log(typeof DataGatewayModule.forRoot, typeof ShardedRepository, require('shardgate/package.json').name);`;
    await writeFile(join(directory, 'required.cjs'), script);
    const { code, stdout } = await run(process.execPath, ['--no-warnings', 'required.cjs'], directory);
    expect({ code, stdout: stdout.trim() }).toEqual({ code: 0, stdout: 'function function shardgate' });
  });
});

describe('an application on NestJS 12', () => {
  it('compiles against the package in strict mode, declarations of libraries included', async () => {
    expect(await run(process.execPath, ['node_modules/typescript/bin/tsc'], directory)).toMatchObject({
      code: 0,
      stdout: '',
    });
  }, 180_000);

  it('saves, finds and changes entities of its own, with relations, on both shards', async () => {
    const config = join(directory, 'servers.json');
    await writeFile(config, JSON.stringify(await ownDatabases()), { mode: 0o600 });
    const outcome = await run(process.execPath, ['dist/main.js'], directory, { SHARDGATE_CONFIG: config });
    expect(outcome).toMatchObject({ code: 0, stderr: '' });
    expect(JSON.parse(outcome.stdout)).toEqual({
      forRoot: {
        shardsOfOwners: ['s0', 's1'],
        found: { name: 'Ada', creditLimit: '1500.0000', plans: ['phone', 'post'] },
        transaction: {
          limitAfter: '1499.9000',
          refused: 'The limit does not suffice.',
          seats: { phone: 5, post: 1 },
        },
        forUser: ['Ada'],
        everybodys: { names: ['Ada', 'Bea'], end: null },
        seatsPerPlan: { phone: 6, post: 1 },
      },
      forRootAsync: { names: ['Ada'], onFirstShard: 1 },
      withoutScope: 'scope_missing',
    });
  }, 120_000);
});

/** What importing this file of the package loads: files of the package, and names of other packages. */
async function reachableFrom(entry: string): Promise<{ files: string[]; packages: string[] }> {
  const files = new Set([entry]);
  const packages = new Set<string>();
  for (const file of files) {
    const source = await readFile(join(directory, 'node_modules/shardgate', file), 'utf8');
    for (const { fileName } of ts.preProcessFile(source, true, true).importedFiles) {
      if (fileName.startsWith('.')) files.add(join(dirname(file), fileName));
      else if (!isBuiltin(fileName)) packages.add(packageOf(fileName));
    }
  }
  return { files: [...files], packages: [...packages] };
}

function isBuiltin(specifier: string): boolean {
  return specifier.startsWith('node:') || builtinModules.includes(specifier);
}

function packageOf(specifier: string): string {
  const parts = specifier.split('/');
  return parts.slice(0, specifier.startsWith('@') ? 2 : 1).join('/');
}
