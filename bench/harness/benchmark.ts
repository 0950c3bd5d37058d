import type { BenchSite } from './bench-site.js';
import type { Measurement, Round } from './round.js';
import type { BenchSettings } from './settings.js';

/** One call after the other, each checked: rejects with a {@link WrongAnswerError} when an answer is wrong. */
type Turn = () => Promise<void>;

/** Who does the work of a case: ourselves, or what we measure ourselves against. */
export interface Subject {
  /** Short: the column of a table. */
  readonly name: string;
  /** Whether it is this project's own; `--profile` runs no other. */
  readonly isOurs: boolean;
  /** Calls that one turn makes; more than one where a call takes less time than the clock. Default 1. */
  readonly callsPerTurn?: number;
  /** What the caller of this number, from 0, does again and again. */
  turnOf(caller: number): Turn;
  /** Brings it into the state that is measured, before each round and unmeasured. */
  readonly prepare?: () => Promise<void>;
  /** Runs a caller's whole loop in something that every call of it needs, such as a scope. */
  readonly around?: (loop: () => Promise<void>) => Promise<void>;
}

/** A subject that makes its calls in a process of its own, and says how it did. */
export interface ForeignSubject {
  readonly name: string;
  readonly isOurs: false;
  /** Works as long as the round lasts, or about so long; it has callers of its own. Rejects when a call failed. */
  measureRound(round: Round): Promise<Measurement>;
}

/** A subject that can be measured here. */
export type PresentSubject = Subject | ForeignSubject;

/** A subject that is not installed here; it is named in table and file. */
export interface MissingSubject {
  readonly name: string;
  /** Why, and what to do about it. */
  readonly missing: string;
}

/**
 * How many times faster a subject is than something else: its rate by the other's rate, or a time that is
 * asked for by its median time.
 */
export interface Comparison {
  readonly subject: string;
  /** Another subject of the case, the fastest of several, or a time per call that is asked for whatever others do. */
  readonly against:
    | string
    | { readonly label: string; readonly bestOf: readonly string[] }
    | { readonly label: string; readonly p50Ms: number };
  /** Of two subjects: by rate, or by median time, which other processes disturb less. Default `rate`. */
  readonly by?: 'rate' | 'p50';
  /** The ratio to reach; undefined: it is told, and nothing is asked for. */
  readonly atLeast?: number | undefined;
}

/** The same work for every subject, under one load. Its subjects are measured in alternation. */
export interface BenchCase {
  readonly name: string;
  /** Loops of calls at once, each waiting for its answer before it asks again. */
  readonly callers: number;
  readonly subjects: readonly (PresentSubject | MissingSubject)[];
  readonly comparisons: readonly Comparison[];
}

/** A benchmark that is ready to be measured. */
export interface OpenedBenchmark {
  readonly cases: readonly BenchCase[];
  /** What was measured with, beside the harness's own settings. */
  readonly settings: Readonly<Record<string, string | number>>;
  /** What only the run shows, such as how many reads were hits; asked for when it has ended. */
  readonly found?: () => Readonly<Record<string, string | number>>;
  /** Looks, when everything was measured, at what is left behind. @throws WrongAnswerError when it is not right */
  readonly verify?: () => Promise<void>;
  /** Versions of what was measured against. */
  readonly versions: Readonly<Record<string, string>>;
  /** Gives back what was opened for it. */
  close(): Promise<void>;
}

/** One row of the table in `docs/benchmarks.md`. */
export interface Benchmark {
  /** What `npm run bench` knows it by. */
  readonly name: string;
  /** One line for `--help`. */
  readonly summary: string;
  /** @param site starts the servers and loads the data, the first time it is called */
  open(site: () => Promise<BenchSite>, settings: BenchSettings): Promise<OpenedBenchmark>;
}
