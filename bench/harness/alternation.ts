import type { BenchCase, MissingSubject, PresentSubject } from './benchmark.js';
import { measure } from './measure.js';
import type { Measurement } from './round.js';
import type { BenchSettings } from './settings.js';

/** Every round of every subject that is there. */
export type RoundsBySubject = ReadonlyMap<string, readonly Measurement[]>;

/** Whether a subject can be measured here. */
export function isPresent(subject: PresentSubject | MissingSubject): subject is PresentSubject {
  return !('missing' in subject);
}

/**
 * Measures the subjects of a case in turn, round after round, each round beginning with another one: what
 * the machine does meanwhile happens to all of them alike.
 */
export async function alternate(
  benchCase: BenchCase,
  settings: BenchSettings,
  signal: AbortSignal,
): Promise<RoundsBySubject> {
  const subjects = benchCase.subjects.filter(isPresent);
  const { callers } = benchCase;
  for (const subject of subjects) {
    await measure(subject, { callers, durationMs: settings.warmUpMs, signal });
  }
  const rounds = new Map<string, Measurement[]>(subjects.map(({ name }) => [name, []]));
  for (let round = 0; round < settings.rounds; round += 1) {
    for (const subject of rotated(subjects, round)) {
      const measured = await measure(subject, { callers, durationMs: settings.roundMs, signal });
      rounds.get(subject.name)?.push(measured);
    }
  }
  return rounds;
}

function rotated<T>(items: readonly T[], by: number): readonly T[] {
  const first = by % items.length;
  return [...items.slice(first), ...items.slice(0, first)];
}
