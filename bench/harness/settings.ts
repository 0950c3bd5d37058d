/** How long and how often things are measured. */
export interface BenchSettings {
  /** The form for a look; the full one is for figures that are kept. */
  readonly isQuick: boolean;
  /** How often each subject of a case has its turn. */
  readonly rounds: number;
  /** How long a subject works in one round. */
  readonly roundMs: number;
  /** How long each subject works before the first round, unmeasured. */
  readonly warmUpMs: number;
}

const FULL: BenchSettings = { isQuick: false, rounds: 7, roundMs: 2_000, warmUpMs: 2_000 };
const QUICK: BenchSettings = { isQuick: true, rounds: 5, roundMs: 300, warmUpMs: 400 };

/** The settings of the short form, which takes less than a minute a benchmark, or of the full one. */
export function benchSettings(isQuick: boolean): BenchSettings {
  return isQuick ? QUICK : FULL;
}
