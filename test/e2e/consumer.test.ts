import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { builtinModules } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import ts from 'typescript';
import { packLibrary, PackedConsumer, run, type Packed } from '../support/packed-consumer.js';

/*
 * The package as somebody gets it who installs it: packed, unpacked and put into an application's
 * node_modules. The applications are in test/consumers.
 */

let directory: string;
let packed: Packed;
let onNest12: PackedConsumer;
let onNest11: PackedConsumer;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'shardgate-consumer-'));
  packed = await packLibrary(directory);
  onNest12 = await PackedConsumer.install('nest12-esm', packed, directory);
  onNest11 = await PackedConsumer.install('nest11-cjs', packed, directory);
}, 60_000);

afterAll(async () => {
  await rm(directory, { recursive: true, force: true });
});

describe('the package', () => {
  it('holds the built library, its licence, readme and changelog, and nothing else', () => {
    expect(packed.files).toContain('dist/index.js');
    expect(packed.files).toContain('dist/index.d.ts');
    const expected = /^(package\.json|README\.md|CHANGELOG\.md|LICENSE|dist\/.+(\.d\.ts|\.js|\.js\.map))$/;
    expect(packed.files.filter((path) => !expected.test(path))).toEqual([]);
  });

  it('reaches from its entry neither the service, the command line nor the embedded cluster', async () => {
    const { files } = await reachableFrom('dist/index.js');
    expect(files.length).toBeGreaterThan(20);
    expect(files.filter((path) => !packed.files.includes(path))).toEqual([]);
    expect(files.filter((path) => /^dist\/(cli|modules|main|sharding\/cluster)\b/.test(path))).toEqual([]);
  });

  it('imports from its entry only packages that are installed with it', async () => {
    const { packages } = await reachableFrom('dist/index.js');
    expect(packages).toContain('typeorm');
    expect(packages.filter((name) => !onNest12.installed.includes(name))).toEqual([]);
  });

  it('can be required from CommonJS', async () => {
    const script = `
      const { DataGatewayModule, ShardedRepository } = require('shardgate');
      console.log(typeof DataGatewayModule.forRoot, typeof ShardedRepository, require('shardgate/package.json').name);`;
    await writeFile(join(onNest12.directory, 'required.cjs'), script);
    const { code, stdout } = await run(
      process.execPath,
      ['--no-warnings', 'required.cjs'],
      onNest12.directory,
    );
    expect({ code, stdout: stdout.trim() }).toEqual({ code: 0, stdout: 'function function shardgate' });
  });
});

describe('an application on NestJS 12, of ES modules', () => {
  it('compiles against the package in strict mode, declarations of libraries included', async () => {
    expect(await onNest12.compile()).toMatchObject({ code: 0, stdout: '' });
  }, 180_000);

  it('saves, finds and changes entities of its own, with relations, on both shards', async () => {
    const outcome = await onNest12.start();
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

describe('an application on NestJS 11, of CommonJS modules', () => {
  it('compiles against the package in strict mode, declarations of libraries included', async () => {
    expect(await onNest11.compile()).toMatchObject({ code: 0, stdout: '' });
    const main = await readFile(join(onNest11.directory, 'dist/app.module.js'), 'utf8');
    expect(main).toContain('require("shardgate")');
  }, 180_000);

  describe('when it runs', () => {
    let results: Record<string, unknown>;

    beforeAll(async () => {
      const outcome = await onNest11.start();
      expect(outcome).toMatchObject({ code: 0, stderr: '' });
      results = JSON.parse(outcome.stdout) as Record<string, unknown>;
    }, 120_000);

    it('runs on NestJS 11, and gateway and application share one copy of each framework', () => {
      const oneCopy = (version: RegExp): object => ({
        versions: [expect.stringMatching(version)],
        sharedWithGateway: true,
      });
      expect(results.packages).toEqual({
        '@nestjs/common': oneCopy(/^11\./),
        '@nestjs/core': oneCopy(/^11\./),
        '@nestjs/typeorm': oneCopy(/^11\./),
        'reflect-metadata': oneCopy(/^0\.2\./),
        rxjs: oneCopy(/^7\./),
        typeorm: oneCopy(/^1\./),
      });
    });

    it('saves, finds and changes entities of its own, with relations, on both shards', () => {
      expect(results.forRoot).toEqual({
        found: { name: 'Ada', shardId: 's0', credit: '100.3000', orders: ['desk 0.2000', 'lamp 0.1000'] },
        transaction: { placed: 2, refused: 'The credit does not suffice.' },
        small: [['lamp', '2026-01-31T12:00:00.000Z', true]],
        everybodys: { names: ['Ada', 'Bea'], end: null },
        turnover: '0.3000',
      });
    });

    it('gets its options from a provider, and the data source of a shard from @nestjs/typeorm 11', () => {
      expect(results.forRootAsync).toEqual({ names: ['Ada'], onFirstShard: 1, isOurDataSource: true });
    });

    it('catches errors by the classes that it imports', () => {
      expect(results.mistakes).toEqual({
        noScope: { isOfType: true, isGatewayError: true, code: 'scope_missing' },
        floatAmount: { isOfType: true, isGatewayError: true, code: 'validation_failed' },
        duplicate: { isOfType: true, isGatewayError: false, code: '23505' },
      });
    });

    it('has the gateway until it is shut down, and nothing of it afterwards', () => {
      expect(results.closed).toEqual({ countAtTheEnd: 1, connected: false });
    });
  });
});

/** What importing this file of the package loads: files of the package, and names of other packages. */
async function reachableFrom(entry: string): Promise<{ files: string[]; packages: string[] }> {
  const files = new Set([entry]);
  const packages = new Set<string>();
  for (const file of files) {
    const source = await readFile(join(onNest12.directory, 'node_modules/shardgate', file), 'utf8');
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
