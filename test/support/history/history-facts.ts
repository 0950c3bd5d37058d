import { cellsOf } from './cell.js';
import {
  PROCESS_NAMES,
  type OperationRecord,
  type ProcessName,
  type ReadRecord,
  type WriteRecord,
} from './records.js';
import { RunningMaximum } from './running-maximum.js';

/** What a history says of one cell. */
export interface CellFacts {
  /** Acknowledged writes through each process. */
  readonly acknowledgedBy: Readonly<Record<ProcessName, RunningMaximum>>;
  /** Acknowledged writes. */
  readonly acknowledged: RunningMaximum;
  /** What any read showed of each process's writes, by the end of the read. */
  readonly shown: Readonly<Record<ProcessName, RunningMaximum>>;
  /** When the n-th write began that may have been kept: no value above n can be seen before. */
  readonly begun: readonly number[];
}

/** What a history says of its writes. */
export interface HistoryFacts {
  readonly writes: ReadonlyMap<string, WriteRecord>;
  readonly reads: readonly ReadRecord[];
  readonly cells: readonly CellFacts[];
  /** What a write made of a cell, at least; exactly where the write knows. */
  readonly valueOf: (
    write: WriteRecord,
    cell: number,
  ) => { readonly least: number; readonly isExact: boolean };
}

/** Sorts what the rules need out of a history. */
export function factsOf(history: readonly OperationRecord[]): HistoryFacts {
  const reads = history.filter((record) => record.kind === 'read');
  const writes = history.filter((record) => record.kind === 'write');
  const kept = writes.filter(({ isKept }) => isKept);
  const ends = cellsOf().map((cell) => sortedEnds(kept, cell));
  const valueOf = (write: WriteRecord, cell: number) => {
    const exact = write.values[write.cells.indexOf(cell)];
    // Each write that was acknowledged before it began made the value greater by one, and so did this one.
    const least = exact ?? countBelow(ends[cell] ?? [], write.begin) + 1;
    return { least, isExact: exact !== undefined };
  };
  const byId = new Map(writes.map((write) => [write.id, write]));
  const cells = cellsOf().map((cell) => cellFacts(cell, kept, reads, byId, valueOf));
  return { writes: byId, reads, cells, valueOf };
}

function cellFacts(
  cell: number,
  kept: readonly WriteRecord[],
  reads: readonly ReadRecord[],
  byId: ReadonlyMap<string, WriteRecord>,
  valueOf: HistoryFacts['valueOf'],
): CellFacts {
  const ofCell = kept.filter(({ cells }) => cells.includes(cell));
  const acknowledged = new RunningMaximum();
  const acknowledgedBy = perProcess();
  for (const write of ofCell) {
    const { least } = valueOf(write, cell);
    acknowledged.add(write.end, least, write.id);
    acknowledgedBy[write.process].add(write.end, least, write.id);
  }
  const shown = perProcess();
  const writers = new Set(ofCell.map(({ process }) => process));
  const [sole] = writers.size === 1 ? writers : [];
  for (const { seen, end, client, how } of reads) {
    for (const row of seen) {
      if (row.cell !== cell) continue;
      const write = byId.get(row.writer);
      const of = `${how} of ${client}`;
      if (sole !== undefined) shown[sole].add(end, row.value, of);
      else if (write !== undefined) shown[write.process].add(end, valueOf(write, cell).least, of);
    }
  }
  const begun = ofCell.map(({ begin }) => begin).sort((a, b) => a - b);
  return { acknowledged, acknowledgedBy, shown, begun };
}

function perProcess(): Record<ProcessName, RunningMaximum> {
  return Object.fromEntries(PROCESS_NAMES.map((name) => [name, new RunningMaximum()])) as Record<
    ProcessName,
    RunningMaximum
  >;
}

function sortedEnds(writes: readonly WriteRecord[], cell: number): number[] {
  return writes
    .filter(({ cells }) => cells.includes(cell))
    .map(({ end }) => end)
    .sort((a, b) => a - b);
}

/** How many of sorted numbers are below a limit. */
export function countBelow(sorted: readonly number[], limit: number): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((sorted[middle] ?? Infinity) < limit) low = middle + 1;
    else high = middle;
  }
  return low;
}
