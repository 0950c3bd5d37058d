import { Session, type Profiler } from 'node:inspector/promises';

const HOTTEST_SHOWN = 30;
const SAMPLE_EVERY_US = 250;

/** What a profile of the processor found. */
export interface CpuProfile {
  /** For a `.cpuprofile` file, which browsers' developer tools and editors open. */
  readonly json: string;
  /** The functions that took the most time themselves: share and place of each. */
  readonly hottest: readonly (readonly [share: string, place: string])[];
}

/** Samples this process while `work` runs. */
export async function profiled(work: () => Promise<void>): Promise<CpuProfile> {
  const session = new Session();
  session.connect();
  try {
    await session.post('Profiler.enable');
    await session.post('Profiler.setSamplingInterval', { interval: SAMPLE_EVERY_US });
    await session.post('Profiler.start');
    await work();
    const { profile } = await session.post('Profiler.stop');
    return { json: JSON.stringify(profile), hottest: hottestOf(profile) };
  } finally {
    session.disconnect();
  }
}

function hottestOf({ nodes, samples = [], timeDeltas = [] }: Profiler.Profile): CpuProfile['hottest'] {
  const placeOf = new Map(nodes.map(({ id, callFrame }) => [id, describe(callFrame)]));
  const spent = new Map<string, number>();
  let total = 0;
  samples.forEach((id, index) => {
    const place = placeOf.get(id) ?? 'unknown';
    const delta = timeDeltas[index] ?? 0;
    total += delta;
    spent.set(place, (spent.get(place) ?? 0) + delta);
  });
  return [...spent]
    .toSorted(([, a], [, b]) => b - a)
    .slice(0, HOTTEST_SHOWN)
    .map(([place, time]) => [`${((time / total) * 100).toFixed(1)} %`, place]);
}

function describe({ functionName, url, lineNumber }: Profiler.Profile['nodes'][number]['callFrame']): string {
  const file = url.replace(/^.*\/(?=src\/|bench\/|node_modules\/)/, '');
  return `${functionName || '(anonymous)'}${file === '' ? '' : `  ${file}:${lineNumber + 1}`}`;
}
