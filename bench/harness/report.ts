import type { RoundsBySubject } from './alternation.js';
import type { BenchCase, Comparison } from './benchmark.js';
import type { Measurement } from './round.js';
import { median } from './statistics.js';

/** How one subject did in one case. Figures are medians over the rounds, null where the subject is missing. */
export interface CaseFigures {
  readonly case: string;
  readonly subject: string;
  readonly perSecond: number | null;
  readonly p50Ms: number | null;
  readonly p99Ms: number | null;
  /** Calls that were measured, over all rounds. */
  readonly samples: number;
  /** Slowest and fastest round, calls per second. */
  readonly spread?: { readonly min: number; readonly max: number };
  /** Why there are no figures. */
  readonly missing?: string;
}

/** One comparison: how many times faster the subject is than what it is set against. */
export interface Ratio {
  readonly case: string;
  readonly subject: string;
  readonly against: string;
  /** Null where one of the two is missing. */
  readonly ratio: number | null;
  /** The least ratio that is asked for; null: none is. */
  readonly goal: number | null;
  /** Null where there is no goal or no ratio. */
  readonly met: boolean | null;
}

/** What `bench/results/<name>.json` holds. */
export interface BenchReport {
  readonly name: string;
  /** When it ended, ISO 8601. */
  readonly at: string;
  readonly versions: Readonly<Record<string, string>>;
  readonly settings: Readonly<Record<string, string | number | boolean>>;
  readonly cases: readonly CaseFigures[];
  readonly ratios: readonly Ratio[];
}

/** The figures of a case, in the order of its subjects. */
export function figuresOf(benchCase: BenchCase, rounds: RoundsBySubject): CaseFigures[] {
  return benchCase.subjects.map((subject) => {
    const place = { case: benchCase.name, subject: subject.name };
    if ('missing' in subject) {
      const none = { perSecond: null, p50Ms: null, p99Ms: null, samples: 0 };
      return { ...place, ...none, missing: subject.missing };
    }
    return { ...place, ...summaryOf(rounds.get(subject.name) ?? []) };
  });
}

/** The comparisons of a case. */
export function ratiosOf(benchCase: BenchCase, figures: readonly CaseFigures[]): Ratio[] {
  const of = (name: string): CaseFigures | undefined => figures.find(({ subject }) => subject === name);
  return benchCase.comparisons.map(({ subject, against, by = 'rate', atLeast }: Comparison) => {
    const ours = of(subject);
    const theirs =
      typeof against === 'string'
        ? of(against)
        : 'bestOf' in against
          ? best(against.bestOf.map(of))
          : against;
    const ratio =
      by === 'rate' && theirs !== undefined && 'perSecond' in theirs
        ? quotient(ours?.perSecond, theirs.perSecond)
        : quotient(theirs?.p50Ms, ours?.p50Ms);
    return {
      case: benchCase.name,
      subject,
      against: typeof against === 'string' ? against : against.label,
      ratio,
      goal: atLeast ?? null,
      met: ratio === null || atLeast === undefined ? null : ratio >= atLeast,
    };
  });
}

/** The one of the highest rate; undefined where all are missing. */
function best(figures: readonly (CaseFigures | undefined)[]): CaseFigures | undefined {
  const present = figures.filter((one) => one !== undefined && one.perSecond !== null);
  return present.toSorted((a, b) => (b?.perSecond ?? 0) - (a?.perSecond ?? 0))[0];
}

function quotient(a: number | null | undefined, b: number | null | undefined): number | null {
  return typeof a === 'number' && typeof b === 'number' ? a / b : null;
}

function summaryOf(rounds: readonly Measurement[]) {
  const rates = rounds.map(({ perSecond }) => perSecond);
  return {
    perSecond: median(rates),
    p50Ms: median(rounds.map(({ p50Ms }) => p50Ms)),
    p99Ms: median(rounds.map(({ p99Ms }) => p99Ms)),
    samples: rounds.reduce((sum, { calls }) => sum + calls, 0),
    spread: { min: Math.min(...rates), max: Math.max(...rates) },
  };
}
