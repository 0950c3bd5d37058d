import type { SeededRandom } from '../hostile/seeded-random.js';
import { cellsOf, cellsOfUser, useOf, userOf } from './cell.js';
import type { ReadHow, ReadOperation, WriteHow, WriteOperation, WriteRecord } from './records.js';

const ALL = cellsOf();
const QUIET = cellsOf('quiet');
const BUSY = ALL.filter((cell) => useOf(cell) !== 'quiet');
const CONTENDED = cellsOf('contended');

/** Of a cell that nobody else writes. */
const OWN_WRITES: readonly WriteHow[] = [
  'update',
  'update',
  'save',
  'increment',
  'raw',
  'lock',
  'shared lock',
  'savepoint',
  'rolled back',
  'rolled back raw',
];

/** Of a cell that others write as well: only what adds within the database, or under a lock. */
const CONTENDED_WRITES: readonly WriteHow[] = [
  'increment',
  'raw',
  'raw',
  'lock',
  'shared lock',
  'savepoint',
  'rolled back',
  'rolled back raw',
];

const LOCKING: ReadonlySet<WriteHow> = new Set<WriteHow>(['lock', 'shared lock', 'savepoint']);

/** Single cells are asked for most, so that the cache has what it can answer. */
const READS: readonly ReadHow[] = [
  ...Array<ReadHow>(7).fill('by id'),
  ...Array<ReadHow>(4).fill('find one'),
  'find by name',
  'find in',
  'find in',
  'find',
  'page of user',
  'page of all',
  'raw',
];

const PASTS: readonly ReadOperation['past'][] = [
  ...Array<ReadOperation['past']>(17).fill('nothing'),
  'young',
  'cache',
  'cache',
  'replica',
];

/** Of writes to the own cell. They touch what is known of all cells, and so hide what others did not touch. */
const BY_NAME = 0.002;
const AGAIN = 0.8;
const QUIET_READS = 0.5;

/** What one client does next, by chance. */
export class ClientPlan {
  readonly random: SeededRandom;
  readonly #owned: number | undefined;
  #value = 0;
  #latest: Omit<ReadOperation, 'tokenOf'> | undefined;

  /** @param owned the cell that only this client writes */
  constructor(random: SeededRandom, owned: number | undefined) {
    this.random = random;
    this.#owned = owned;
  }

  /**
   * Mostly what was read before: else there would be more questions than a short run can ask twice.
   *
   * @param isQuiet whether it may be a quiet cell that is asked for by itself
   */
  read(isQuiet = false): Omit<ReadOperation, 'tokenOf'> {
    const isAgain = this.random.next() < AGAIN;
    const read = (isAgain ? this.#latestIf(isQuiet) : undefined) ?? this.#newRead(isQuiet);
    this.#latest = { ...read, past: 'nothing' };
    return { ...read, past: this.random.pick(PASTS) };
  }

  #latestIf(isQuiet: boolean): Omit<ReadOperation, 'tokenOf'> | undefined {
    const [cell = 0, ...others] = this.#latest?.cells ?? [];
    const isOfQuiet = others.length === 0 && useOf(cell) === 'quiet';
    return isQuiet || !isOfQuiet ? this.#latest : undefined;
  }

  #newRead(isQuiet: boolean): Omit<ReadOperation, 'tokenOf'> {
    const { random } = this;
    const how = random.pick(READS);
    const cell = random.pick(isQuiet && random.next() < QUIET_READS ? QUIET : BUSY);
    const ofUser = cellsOfUser(userOf(cell));
    const cells = {
      'find in': random
        .shuffled(ofUser)
        .slice(0, 2)
        .sort((a, b) => a - b),
      find: ofUser,
      'page of user': ofUser,
      'page of all': ALL,
      ...{ 'by id': [cell], 'find one': [cell], 'find by name': [cell], raw: [cell] },
    }[how];
    const isAsUser = how !== 'page of all' && random.next() < 0.5;
    return { kind: 'read', how, cells, isAsUser, past: 'nothing' };
  }

  /** @param isOwn whether it must be the client's own cell */
  write(isOwn = false): WriteOperation {
    const { random } = this;
    const owned = this.#owned !== undefined && (isOwn || random.next() < 0.6) ? this.#owned : undefined;
    const isByName = owned !== undefined && random.next() < BY_NAME;
    const usual = random.pick(owned === undefined ? CONTENDED_WRITES : OWN_WRITES);
    const how = isByName ? 'update by name' : usual;
    const cell = owned ?? random.pick(CONTENDED);
    const others = CONTENDED.filter((other) => other !== cell && userOf(other) === userOf(cell));
    const cells = LOCKING.has(how) && random.next() < 0.4 ? [cell, random.pick(others)] : [cell];
    const value = owned === undefined ? undefined : this.#value + 1;
    return { kind: 'write', how, cells, value, isAsUser: random.next() < 0.5 };
  }

  /** Takes note of how a write went. */
  wrote({ cells, isKept }: WriteRecord): void {
    if (isKept && cells[0] === this.#owned) this.#value += 1;
  }
}
