import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import { sizeOfAnswer, sizeOfRows } from '../../src/cache/answer-size.js';

const MAX_BYTES = 8 * 1024 * 1024;
const ROOT = new URL('../../', import.meta.url);

interface Use {
  /** By how much the heap grew. */
  readonly heap: number;
  readonly entries: number;
  readonly bytes: number;
  readonly evictions: number;
}

async function useOf(answers: number, rowsMax: number, characters: string): Promise<Use> {
  const loader = fileURLToPath(new URL('test/support/register-typescript.js', ROOT));
  const program = fileURLToPath(new URL('./cache-memory-process.ts', import.meta.url));
  const args = [MAX_BYTES, answers, rowsMax, characters].map(String);
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['--expose-gc', '--import', new URL(`file://${loader}`).href, program, ...args],
    { cwd: fileURLToPath(ROOT) },
  );
  return JSON.parse(stdout) as Use;
}

describe('a cache that is offered more than it may keep', () => {
  it.each([
    { what: '1 to 100 rows each', answers: 100_000, rowsMax: 100, characters: 'plain' },
    { what: 'one row each', answers: 30_000, rowsMax: 1, characters: 'plain' },
    { what: 'text beyond Latin-1', answers: 10_000, rowsMax: 100, characters: 'wide' },
  ])(
    'takes no more of the heap than that: $answers answers of $what',
    async ({ answers, rowsMax, characters }) => {
      const { heap, bytes, entries, evictions } = await useOf(answers, rowsMax, characters);
      expect(bytes).toBeLessThanOrEqual(MAX_BYTES);
      expect(heap).toBeLessThan(MAX_BYTES * 1.3);
      // Nor is most of it left unused.
      expect(heap).toBeGreaterThan(MAX_BYTES * 0.6);
      expect(bytes).toBeGreaterThan(MAX_BYTES * 0.9);
      expect(entries + evictions).toBeGreaterThan(answers * 0.9);
    },
    120_000,
  );
});

describe('the size of rows', () => {
  it('is that of their arrays and texts', () => {
    expect(sizeOfRows([])).toBe(0);
    expect(sizeOfRows([[]])).toBe(33);
    expect(sizeOfRows([['', null, 'abcd']])).toBe(33 + 16 + 5 + 20);
    expect(sizeOfRows([['a'], ['b']])).toBe(2 * (33 + 17));
  });

  it('has room for what readers leave in them, or for what tells of their columns', () => {
    const rows = [['12.5000', 'A long text. It has points.', null, '7']];
    const size = sizeOfRows(rows);
    expect(sizeOfAnswer({ rows })).toBe(size + 66);
    expect(sizeOfAnswer({ rows, fields: [{}, {}, {}, {}] })).toBe(size + 4 * 60);
  });
});
