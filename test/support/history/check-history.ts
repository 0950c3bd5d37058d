import { countBelow, factsOf, type CellFacts, type HistoryFacts } from './history-facts.js';
import type { OperationRecord, ReadRecord, SeenCell } from './records.js';

/** One row of a read that breaks a rule, as a line for people. */
export type Fault = string;

/** What a run was like. */
export interface HistorySummary {
  readonly reads: number;
  readonly writes: number;
  readonly hits: number;
  readonly joins: number;
  /** Rows that reads past the cache had from a replica and that were older than what was acknowledged before. */
  readonly laggingRows: number;
  /** How long before a hit began what it did not show had been acknowledged by the other process; the longest, ms. */
  readonly stalestHitMs: number;
}

/**
 * Holds every row of every read to what the gateway promises:
 *
 * - own: what the cache answers, what two reads share, and what is asked for in order to be kept are as new as the
 *   latest write that this process acknowledged before the read began; so is a read past the cache that is about
 *   the rows of one user;
 * - primary: a read from the primary is as new as the latest write that any process acknowledged;
 * - token: a read with a write's token shows that write, wherever it was made;
 * - bound: the cache answers with what is as new as the latest write of any process but those that were
 *   acknowledged less than `boundMs` before;
 * - shown: once anybody was shown a write of this process, acknowledged or not, its cache answers nothing older;
 * - real: what is shown was written, by a write that had begun and was not rolled back; and a row's two columns
 *   are of one state;
 * - whole: a list has all of its rows, and of a transaction that wrote several of them all or none.
 *
 * What is not promised, and not asked for: that reads past the cache by the tenant's service without token do
 * not lag; that what the cache asks a replica for is newer than the replica where the other process's writes
 * have not been heard of.
 *
 * @param boundMs how old the cache may be about another process's writes
 */
export function faultsIn(history: readonly OperationRecord[], boundMs: number): Fault[] {
  const facts = factsOf(history);
  return facts.reads.flatMap((read) => [
    ...read.seen.flatMap((row) => rowFaults(facts, read, row, boundMs)),
    ...listFaults(facts, read),
  ]);
}

/** What a history was like, to tell whether it can have shown a fault. */
export function summaryOf(history: readonly OperationRecord[]): HistorySummary {
  const { reads, writes, cells } = factsOf(history);
  const hits = reads.filter(({ source }) => source === 'cache');
  const lagging = reads
    .filter((read) => isPastCache(read) && read.source === 'replica')
    .flatMap((read) =>
      read.seen.filter((row) => row.value < (cells[row.cell]?.acknowledged.before(read.begin)?.value ?? 0)),
    );
  const ages = hits.flatMap((read) =>
    read.seen.map((row) => {
      const missed = cells[row.cell]?.acknowledged.firstAbove(row.value);
      return missed === undefined ? 0 : read.begin - missed.atMs;
    }),
  );
  return {
    reads: reads.length,
    writes: writes.size,
    hits: hits.length,
    joins: reads.filter(({ source }) => source === 'joined').length,
    laggingRows: lagging.length,
    stalestHitMs: Math.round(ages.reduce((longest, age) => Math.max(longest, age), 0)),
  };
}

function isPastCache({ past, how }: ReadRecord): boolean {
  return how === 'raw' || past === 'cache' || past === 'replica';
}

/** Whether the read names the user whose rows it is about, so that this process knows what they wrote. */
function namesUser({ how, isAsUser }: ReadRecord): boolean {
  return isAsUser || (how !== 'by id' && how !== 'page of all');
}

function rowFaults(facts: HistoryFacts, read: ReadRecord, row: SeenCell, boundMs: number): Fault[] {
  const cell = facts.cells[row.cell];
  if (cell === undefined) return [`${whatWas(read)}: there is no cell ${row.cell}`];
  const faults: Fault[] = [];
  const demand = (rule: string, least: { value: number; of: string; atMs: number } | undefined): void => {
    if (least === undefined || row.value >= least.value) return;
    const agoMs = (read.begin - least.atMs).toFixed(1);
    faults.push(
      `${rule}: ${whatWas(read)} showed ${row.value} (${row.writer}) of cell ${row.cell}, ` +
        `not ${least.value} of ${agoMs} ms before it began (${least.of})`,
    );
  };
  const { begin, process, source, tokenOf } = read;
  if (!isPastCache(read) || namesUser(read)) demand('own', cell.acknowledgedBy[process].before(begin));
  if (read.past === 'replica') demand('primary', cell.acknowledged.before(begin));
  if (source === 'cache') {
    demand('bound', cell.acknowledged.before(begin - boundMs));
    demand('shown', cell.shown[process].before(begin));
  }
  for (const id of tokenOf) {
    const write = facts.writes.get(id);
    if (write?.cells.includes(row.cell) !== true) continue;
    demand('token', { value: facts.valueOf(write, row.cell).least, of: id, atMs: write.end });
  }
  return [...faults, ...realFaults(facts, cell, read, row)];
}

function realFaults(
  { writes, valueOf }: HistoryFacts,
  cell: CellFacts,
  read: ReadRecord,
  row: SeenCell,
): Fault[] {
  const what = `real: ${whatWas(read)} showed ${row.value} (${row.writer}) of cell ${row.cell}`;
  if (row.value > countBelow(cell.begun, read.end)) return [`${what}, more than had been written`];
  if (row.writer === '') return [];
  const write = writes.get(row.writer);
  if (write?.isKept !== true || write.begin > read.end) return [`${what}, which nobody wrote`];
  const { least, isExact } = valueOf(write, row.cell);
  // Increments may have followed, which leave the writer as it was.
  return isExact && row.value < least ? [`${what}, but that write made it ${least}`] : [];
}

function listFaults({ writes, valueOf }: HistoryFacts, read: ReadRecord): Fault[] {
  if (read.failure !== undefined) return [];
  const values = new Map(read.seen.map(({ cell, value }) => [cell, value]));
  const missing = read.cells.filter((cell) => !values.has(cell));
  if (missing.length > 0) return [`whole: ${whatWas(read)} lacks the cells ${missing.join()}`];
  return read.seen.flatMap(({ writer }) => {
    const write = writes.get(writer);
    if (write === undefined || write.cells.length < 2) return [];
    const torn = write.cells.filter((cell) => (values.get(cell) ?? Infinity) < valueOf(write, cell).least);
    return torn.map((cell) => `whole: ${whatWas(read)} shows ${writer}, but not its cell ${cell}`);
  });
}

function whatWas({ client, process, how, isAsUser, source, past }: ReadRecord): string {
  return `${how} of ${client} through ${process} as ${isAsUser ? 'user' : 'service'} (${source}, past ${past})`;
}

/** Lines of each rule, so that a flood of one does not hide the others. */
export function someOfEach(faults: readonly Fault[], max = 5): Fault[] {
  const rules = new Map<string, Fault[]>();
  for (const fault of faults) {
    const rule = fault.slice(0, fault.indexOf(':'));
    rules.set(rule, [...(rules.get(rule) ?? []), fault]);
  }
  return [...rules].flatMap(([rule, lines]) => [`${lines.length} of ${rule}`, ...lines.slice(0, max)]);
}
