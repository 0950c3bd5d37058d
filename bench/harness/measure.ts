import type { PresentSubject, Subject } from './benchmark.js';
import type { Measurement, Round } from './round.js';
import { quantile } from './statistics.js';

/**
 * Lets a subject work for a while, with as many callers at once as the case has.
 *
 * @throws whatever the first turn that failed threw, once every caller has stopped
 */
export async function measure(subject: PresentSubject, round: Round): Promise<Measurement> {
  return 'measureRound' in subject ? subject.measureRound(round) : measureHere(subject, round);
}

async function measureHere(subject: Subject, round: Round): Promise<Measurement> {
  const { callsPerTurn = 1 } = subject;
  const around = subject.around ?? ((loop: () => Promise<void>) => loop());
  const turnsMs: number[] = [];
  await subject.prepare?.();
  const startedAt = performance.now();
  const endsAt = startedAt + round.durationMs;
  let failed = false;

  const loopOf = (caller: number) => async (): Promise<void> => {
    const turn = subject.turnOf(caller);
    try {
      for (let before = startedAt; before < endsAt && !failed && !round.signal.aborted;) {
        await turn();
        const after = performance.now();
        turnsMs.push(after - before);
        before = after;
      }
    } catch (error) {
      failed = true;
      throw error;
    }
  };

  const callers = Array.from({ length: round.callers }, (_, caller) => around(loopOf(caller)));
  for (const ended of await Promise.allSettled(callers)) {
    if (ended.status === 'rejected') throw ended.reason;
  }
  const seconds = (performance.now() - startedAt) / 1000;
  round.signal.throwIfAborted();
  const ascendingMs = Float64Array.from(turnsMs, (ms) => ms / callsPerTurn).sort();
  const calls = ascendingMs.length * callsPerTurn;
  return {
    perSecond: calls / seconds,
    p50Ms: quantile(ascendingMs, 0.5),
    p99Ms: quantile(ascendingMs, 0.99),
    calls,
  };
}
