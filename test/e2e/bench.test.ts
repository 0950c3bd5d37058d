import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { BenchReport } from '../../bench/harness/report.js';

const ROOT = join(import.meta.dirname, '../..');
const BENCH = ['--import', './test/support/register-typescript.js', 'bench/main.ts'];

/** Runs `npm run bench` as npm does. @throws when its exit code is not 0 */
function bench(args: readonly string[]): Promise<{ stdout: string; stderr: string }> {
  return promisify(execFile)(process.execPath, [...BENCH, ...args], { cwd: ROOT });
}

describe('npm run bench', () => {
  let results: string;

  beforeAll(async () => {
    results = await mkdtemp(join(tmpdir(), 'shardgate-bench-results-'));
  });

  afterAll(async () => {
    await rm(results, { recursive: true, force: true });
  });

  it('prints a table and leaves the same figures as JSON', async () => {
    const { stdout, stderr } = await bench(['routing', '--quick', '--results', results]);
    const report = JSON.parse(await readFile(join(results, 'routing.json'), 'utf8')) as BenchReport;

    expect(report).toMatchObject({
      name: 'routing',
      versions: { shardgate: expect.any(String), node: process.versions.node },
      settings: { isQuick: true, rounds: expect.any(Number) },
    });
    expect(Date.parse(report.at)).not.toBeNaN();
    expect(report.cases.map(({ subject }) => subject)).toEqual([
      'shardgate, 2 shards',
      'shardgate, 1,024 shards',
      'user_id % 2',
    ]);
    for (const figures of report.cases) {
      expect(figures).toMatchObject({
        case: 'a user',
        perSecond: expect.any(Number),
        p50Ms: expect.any(Number),
        p99Ms: expect.any(Number),
        samples: expect.any(Number),
      });
      expect(stdout).toContain(figures.subject);
    }
    expect(report.ratios.length).toBeGreaterThan(0);
    for (const { ratio, goal, met } of report.ratios) {
      expect(met).toBe(goal === null ? null : (ratio ?? 0) >= goal);
    }
    expect(stderr).toContain('routing: a user');
  }, 60_000);

  it('names every benchmark in its help', async () => {
    const { stdout } = await bench(['--help']);
    for (const name of ['read', 'list', 'cache', 'routing', 'transfers', 'cross-shard'])
      expect(stdout).toMatch(new RegExp(`^ +${name} `, 'm'));
  });

  it('refuses the name of a benchmark that does not exist', async () => {
    await expect(bench(['no-such-thing'])).rejects.toMatchObject({
      code: 1,
      stderr: expect.stringContaining('routing'),
    });
  });
});
