import { renderTable } from '../../src/cli/table.js';
import { alternate, isPresent } from './alternation.js';
import { BenchSite } from './bench-site.js';
import type { BenchCase, Benchmark, OpenedBenchmark } from './benchmark.js';
import { measure } from './measure.js';
import { profiled } from './profile.js';
import { figuresOf, ratiosOf, type BenchReport, type CaseFigures, type Ratio } from './report.js';
import type { ResultsDirectory } from './results-directory.js';
import type { BenchSettings } from './settings.js';
import { ownVersions } from './versions.js';

/** What a run is told from outside. */
export interface BenchRunOptions {
  readonly settings: BenchSettings;
  /** Only cases whose name contains this. */
  readonly only: string | undefined;
  readonly results: ResultsDirectory;
  /** Says how far it is; for standard error. */
  readonly tell: (progress: string) => void;
  readonly signal: AbortSignal;
}

/** One run of one or more benchmarks, all on the same servers. */
export class BenchRun {
  readonly #options: BenchRunOptions;
  #site: Promise<BenchSite> | undefined;

  constructor(options: BenchRunOptions) {
    this.#options = options;
  }

  /**
   * Measures every subject of a benchmark and keeps the report.
   *
   * @throws WrongAnswerError when any answer was wrong
   */
  async measure(benchmark: Benchmark): Promise<BenchReport> {
    const { settings, signal, tell, results } = this.#options;
    return this.#opened(benchmark, async (opened) => {
      const cases: CaseFigures[] = [];
      const ratios: Ratio[] = [];
      for (const benchCase of this.#casesOf(opened)) {
        tell(`${benchmark.name}: ${benchCase.name}`);
        const figures = figuresOf(benchCase, await alternate(benchCase, settings, signal));
        cases.push(...figures);
        ratios.push(...ratiosOf(benchCase, figures));
      }
      await opened.verify?.();
      const report: BenchReport = {
        name: benchmark.name,
        at: new Date().toISOString(),
        versions: { ...ownVersions(), ...opened.versions },
        settings: { ...settings, ...opened.settings, ...opened.found?.() },
        cases,
        ratios,
      };
      tell(`${benchmark.name}: written to ${await results.keepReport(report)}`);
      return report;
    });
  }

  /** Samples the processor while our own subjects work, case by case. @returns what took most time, as text */
  async profile(benchmark: Benchmark): Promise<string> {
    return this.#opened(benchmark, async (opened) => {
      const parts: string[] = [];
      for (const benchCase of this.#casesOf(opened)) {
        parts.push(...(await this.#profileCase(benchmark.name, benchCase)));
      }
      return parts.join('\n\n');
    });
  }

  /** Stops what was started. */
  async close(): Promise<void> {
    // A site that did not come up has cleaned up after itself, and said why to who waited for it.
    const site = await this.#site?.catch(() => undefined);
    if (site !== undefined) this.#options.tell('stopping the servers and removing their data');
    await site?.close();
  }

  async #profileCase(benchmark: string, benchCase: BenchCase): Promise<string[]> {
    const { settings, signal, tell, results } = this.#options;
    const { callers } = benchCase;
    const parts: string[] = [];
    for (const subject of benchCase.subjects.filter(isPresent).filter(({ isOurs }) => isOurs)) {
      const title = `${benchmark}, ${benchCase.name}, ${subject.name}`;
      tell(`${title}: profiling`);
      await measure(subject, { callers, durationMs: settings.warmUpMs, signal });
      let rate = 0;
      const { json, hottest } = await profiled(async () => {
        const durationMs = settings.roundMs * settings.rounds;
        rate = (await measure(subject, { callers, durationMs, signal })).perSecond;
      });
      const path = await results.keep(`${title.replaceAll(/[^a-z0-9]+/gi, '-')}.cpuprofile`, json);
      const heading = `${title}: ${Math.round(rate).toLocaleString('en-US')} per second while profiled\n${path}`;
      parts.push(`${heading}\n${renderTable(['itself', 'function'], hottest)}`);
    }
    return parts;
  }

  #casesOf({ cases }: OpenedBenchmark): BenchCase[] {
    const { only = '' } = this.#options;
    const chosen = cases.filter(({ name }) => name.includes(only));
    if (chosen.length > 0) return chosen;
    throw new RangeError(
      `No case is named like that; there are: ${cases.map(({ name }) => name).join(', ')}.`,
    );
  }

  async #opened<Result>(
    benchmark: Benchmark,
    use: (opened: OpenedBenchmark) => Promise<Result>,
  ): Promise<Result> {
    const { settings, tell } = this.#options;
    const opened = await benchmark.open(() => (this.#site ??= BenchSite.open(tell)), settings);
    try {
      return await use(opened);
    } finally {
      await opened.close();
    }
  }
}
