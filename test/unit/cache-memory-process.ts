import { randomBytes } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { sizeOfRows } from '../../src/cache/answer-size.js';
import { QueryCache } from '../../src/cache/query-cache.js';

/*
 * A process of its own, since only there the heap can be looked at: fills a cache with more than it may keep and
 * writes what its heap grew by. Arguments: maxBytes, how many answers, rows of the largest one, characters.
 */

type Rows = readonly (readonly (string | null)[])[];

const [maxBytes = 0, answers = 0, rowsMax = 0] = process.argv.slice(2).map(Number);
const characters = process.argv[5] === 'wide' ? 'абвгдежзийклмноп' : '0123456789abcdef';
const FIELDS = 12;
const TENANTS = 20;

/** Bytes as they come over a connection: strings are made of them anew for each answer. */
const text = Buffer.from([...randomBytes(65_536)].map((byte) => characters[byte % 16]).join(''));
const bytesPerCharacter = Buffer.byteLength(characters) / characters.length;

function field(): string | null {
  const length = (5 + Math.floor(Math.random() * 56)) * bytesPerCharacter;
  const start = Math.floor((Math.random() * (text.length - length)) / 2) * 2;
  return Math.random() < 0.05 ? null : text.toString('utf8', start, start + length);
}

function answerOf(count: number): Rows {
  const rows: (string | null)[][] = [];
  for (let index = 0; index < count; index += 1) {
    const row = new Array<string | null>(FIELDS);
    for (let column = 0; column < FIELDS; column += 1) row[column] = field();
    rows.push(row);
  }
  return rows;
}

function newCache(): QueryCache<Rows> {
  return new QueryCache<Rows>({
    maxBytes,
    shareOf: () => 0.25,
    ttlMs: 3_600_000,
    isEverywhere: () => true,
    isHeard: () => true,
    now: () => 0,
  });
}

/** Most answers are small, as most reads are by id; some are as large as they may be. */
async function fill(cache: QueryCache<Rows>, count: number): Promise<void> {
  for (let index = 0; index < count; index += 1) {
    const rows = answerOf(Math.ceil(rowsMax ** (Math.random() ** 3)));
    const tenantId = `tenant-${index % TENANTS}`;
    const id = `00000000-0000-7000-8000-${String(index).padStart(12, '0')}`;
    const read = {
      shardId: 's0',
      tenantId,
      statement: 'shardgate_12',
      key: id,
      required: undefined,
      ttlMs: undefined,
    };
    const ids = rows.length === 1 ? [id] : undefined;
    await cache.fill(read, [{ table: 'bank.accounts', ids }], () =>
      Promise.resolve({ answer: rows, bytes: sizeOfRows(rows) }),
    );
  }
}

/** In a turn of its own: what the one before still held is garbage by then. */
async function heapBytes(): Promise<number> {
  await nextTurn();
  for (let times = 0; times < 3; times += 1) globalThis.gc?.();
  return process.memoryUsage().heapUsed;
}

// Code is compiled and made fast before anything is measured. What a frame may still hold of this is nothing.
const first = newCache();
await fill(first, 2_000);
first.clear();
const before = await heapBytes();
const cache = newCache();
await fill(cache, answers);
const { entries, bytes, evictions } = { ...cache.report() };
process.stdout.write(JSON.stringify({ heap: (await heapBytes()) - before, entries, bytes, evictions }));
// Held until here.
cache.clear();
