import { cellsOf } from './cell.js';
import type { OperationRecord, ProcessName, ReadRecord, WriteRecord } from './records.js';

/** How long the rules allow in {@link BROKEN_HISTORIES}, ms. */
export const BOUND_MS = 1_000;

/** Two cells of one user that many write, as most of the histories need them. */
const [CELL = 0, OTHER = 0] = cellsOf('contended');

/** A write of one cell, kept, through the first process, from 10 to 20 ms. */
function write(id: string, changes: Partial<WriteRecord> = {}): WriteRecord {
  return {
    ...{ kind: 'write', how: 'raw', cells: [CELL], isAsUser: false, client: 'writer', process: 'first' },
    ...{ begin: 10, end: 20, id, isKept: true, values: [1] },
    ...changes,
  };
}

/** A read of one cell, from the cache of a process, from 30 to 40 ms. */
function read(value: number, writer: string, changes: Partial<ReadRecord> = {}): ReadRecord {
  return {
    ...{ kind: 'read', how: 'by id', cells: [CELL], isAsUser: false, past: 'nothing', tokenOf: [] },
    ...{ client: 'reader', process: 'first', begin: 30, end: 40, source: 'cache' },
    seen: [{ cell: CELL, value, writer }],
    ...changes,
  };
}

const second: { readonly process: ProcessName } = { process: 'second' };
const both = { cells: [CELL, OTHER], values: [1, 1] };

/** Histories that keep to the rules, each as near to breaking one as can be. */
export const SOUND_HISTORIES: Readonly<Record<string, readonly OperationRecord[]>> = {
  'a read that began before the write was acknowledged': [write('a'), read(0, '', { begin: 19 })],
  'the other process, in time': [write('a', second), read(0, '', { begin: BOUND_MS + 19, end: 2_000 })],
  'a replica that lags, past the cache': [write('a'), read(0, '', { source: 'replica', past: 'cache' })],
  'an increment after a write that said its name': [
    write('a'),
    write('b', { values: [undefined] }),
    read(2, 'a'),
  ],
  'what is written already and not acknowledged yet': [write('a', { end: 90 }), read(1, 'a')],
};

/** Histories that break one rule each, by its name. */
export const BROKEN_HISTORIES: Readonly<Record<string, readonly OperationRecord[]>> = {
  own: [write('a'), read(0, '')],
  primary: [write('a', second), read(0, '', { source: 'primary', past: 'replica' })],
  token: [write('a', second), read(0, '', { source: 'replica', tokenOf: ['a'] })],
  bound: [write('a', second), read(0, '', { begin: BOUND_MS + 21, end: 2_000 })],
  shown: [write('a', { end: 90 }), read(1, 'a', { source: 'primary', end: 29 }), read(0, '')],
  'real: rolled back': [write('a'), write('b', { isKept: false, values: [] }), read(1, 'b')],
  'real: from the future': [write('a', { begin: 50, end: 60 }), read(1, 'a')],
  'real: of two states': [write('a'), write('b', { begin: 21, end: 25, values: [2] }), read(1, 'b')],
  'whole: torn': [
    write('a', { ...both, end: 90 }),
    read(1, 'a', {
      ...{ how: 'find', cells: both.cells },
      seen: [
        { cell: CELL, value: 1, writer: 'a' },
        { cell: OTHER, value: 0, writer: '' },
      ],
    }),
  ],
  'whole: a row is missing': [read(0, '', { how: 'find', cells: both.cells })],
};
