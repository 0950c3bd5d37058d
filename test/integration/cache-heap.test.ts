import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import { ownDatabases } from '../support/own-databases.js';
import { howMuch } from '../support/soak.js';

const MAX_BYTES = 16 * 1024 * 1024;
const QUESTIONS = howMuch({ short: 70_000, soak: 100_000 });
const ROOT = new URL('../../', import.meta.url);

/** What the process of a gateway says of its heap and its cache; bytes. */
interface Use {
  /** By how much the heap had grown, after each part of the questions. */
  readonly grown: readonly number[];
  /** By how much it still has when the cache has been emptied. */
  readonly left: number;
  readonly entries: number;
  readonly bytes: number;
  readonly evictions: number;
}

async function useOf(): Promise<Use> {
  const config = await ownDatabases();
  const loader = fileURLToPath(new URL('test/support/register-typescript.js', ROOT));
  const program = fileURLToPath(new URL('./cache-heap-process.ts', import.meta.url));
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [
      '--expose-gc',
      ...['--import', new URL(`file://${loader}`).href],
      ...[program, JSON.stringify({ ...config, shards: config.shards.slice(0, 1) })],
      ...[MAX_BYTES, QUESTIONS].map(String),
    ],
    { cwd: fileURLToPath(ROOT) },
  );
  return JSON.parse(stdout) as Use;
}

describe(`a gateway that is asked ${QUESTIONS} different questions`, () => {
  it('takes no more of the heap than its cache may, and gives it back', async () => {
    const { grown, left, entries, bytes, evictions } = await useOf();
    expect(Math.max(...grown)).toBeLessThan(MAX_BYTES * 1.3);
    // Nor is most of it left unused.
    expect(Math.min(...grown)).toBeGreaterThan(MAX_BYTES * 0.6);
    expect(bytes).toBeLessThanOrEqual(MAX_BYTES);
    // The questions were more than it may keep, several times.
    expect(evictions).toBeGreaterThan(entries * 3);
    // What else the questions left behind.
    expect(left).toBeLessThan(MAX_BYTES * 0.15);
  }, 120_000);
});
