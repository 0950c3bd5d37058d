import type { ReadSource } from '../../../src/common/request-trace.js';

/** The two gateway processes. */
export type ProcessName = 'first' | 'second';
export const PROCESS_NAMES: readonly ProcessName[] = ['first', 'second'];

/** A tenant's cells: the ids of their rows, by the index of the cell. */
export interface CellField {
  readonly tenantId: string;
  readonly ids: readonly string[];
}

/** How a write is made; all of them add one to each of their cells, or nothing. */
export type WriteHow =
  | 'update'
  | 'update by name'
  | 'save'
  | 'increment'
  | 'raw'
  | 'lock'
  | 'shared lock'
  | 'savepoint'
  | 'rolled back'
  | 'rolled back raw';

/** How a read is made: of one cell, of some of a user's, of all of a user's, or of all. */
export type ReadHow =
  'by id' | 'find one' | 'find by name' | 'find in' | 'find' | 'page of user' | 'page of all' | 'raw';

/** What a write is to do. */
export interface WriteOperation {
  readonly kind: 'write';
  readonly how: WriteHow;
  /** Of one user. */
  readonly cells: readonly number[];
  /** What is to be written, where only one client writes the cell and therefore knows. */
  readonly value?: number | undefined;
  readonly isAsUser: boolean;
}

/** What a read is to do. */
export interface ReadOperation {
  readonly kind: 'read';
  readonly how: ReadHow;
  /** What must be in the answer. */
  readonly cells: readonly number[];
  readonly isAsUser: boolean;
  /** What it goes past. `young` takes only what was asked for in the last milliseconds. */
  readonly past: 'nothing' | 'young' | 'cache' | 'replica';
  /** Tokens, joined by commas, and the ids of the writes that they are of. */
  readonly token?: string | undefined;
  readonly tokenOf: readonly string[];
}

export type Operation = WriteOperation | ReadOperation;

interface Performed {
  readonly client: string;
  readonly process: ProcessName;
  /** By the machine's monotonic clock, which all processes share, ms. */
  readonly begin: number;
  readonly end: number;
  /** Why it failed, if it did otherwise than by being rolled back as it should. */
  readonly failure?: string | undefined;
}

/** A write as it went. */
export interface WriteRecord extends Performed, WriteOperation {
  /** Names it in the rows that it wrote. */
  readonly id: string;
  readonly isKept: boolean;
  /** What it wrote to each of its cells; undefined where it does not know. */
  readonly values: readonly (number | undefined)[];
  readonly writtenToken?: string | undefined;
}

/** One row as a read showed it. */
export interface SeenCell {
  readonly cell: number;
  readonly value: number;
  readonly writer: string;
}

/** A read as it went. */
export interface ReadRecord extends Performed, ReadOperation {
  /** `joined` is an answer that another read had asked for. */
  readonly source: ReadSource | 'joined';
  readonly seen: readonly SeenCell[];
}

export type OperationRecord = WriteRecord | ReadRecord;

/** Now, by the clock that all processes of the machine share, ms. */
export function sharedNowMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}
