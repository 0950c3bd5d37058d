import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from '@jest/globals';

const CLI = join(import.meta.dirname, '../../dist/cli/main.js');

it('the demo walks to its end, and its ledger adds up to zero', async () => {
  const { stdout } = await promisify(execFile)(process.execPath, [CLI, 'demo']);
  expect(stdout).toMatch(/sum +0\.0000\n/);
  expect(stdout).toContain('adds up to zero');
  expect(stdout.trimEnd().endsWith('Done.')).toBe(true);
}, 120_000);
