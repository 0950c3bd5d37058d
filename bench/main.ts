import 'reflect-metadata';
import { Argument, Command, Option } from 'commander';
import { awaitStop } from '../src/cli/stop-signal.js';
import { BenchRun } from './harness/bench-run.js';
import type { Benchmark } from './harness/benchmark.js';
import { markdownTable, renderReport } from './harness/render.js';
import { DEFAULT_RESULTS_DIRECTORY, ResultsDirectory } from './harness/results-directory.js';
import { benchSettings } from './harness/settings.js';
import { BENCHMARKS } from './registry.js';

/** Exit code of a program that Ctrl-C ended, as shells have it. */
const INTERRUPTED = 130;

interface BenchArguments {
  readonly quick?: true;
  readonly markdown?: true;
  readonly profile?: true;
  readonly only?: string;
  readonly results: string;
}

/** Measures, or profiles, these benchmarks. Tables go to standard output. @returns the exit code */
async function runAll(benchmarks: readonly Benchmark[], given: BenchArguments): Promise<number> {
  const startedAt = performance.now();
  const tell = (progress: string): void => {
    const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
    console.error(`${seconds.padStart(6)} s  ${progress}`);
  };
  const interruption = new AbortController();
  let stoppedWith: number | undefined;
  void awaitStop(explain).then((reason) => {
    stoppedWith = reason === 'failure' ? 1 : INTERRUPTED;
    interruption.abort();
  });
  const run = new BenchRun({
    settings: benchSettings(given.quick === true),
    only: given.only,
    results: new ResultsDirectory(given.results),
    tell,
    signal: interruption.signal,
  });
  try {
    for (const benchmark of benchmarks) {
      const text =
        given.profile === true
          ? await run.profile(benchmark)
          : renderReport(await run.measure(benchmark), given.markdown === true ? markdownTable : undefined);
      console.log(`${text}\n`);
    }
    return stoppedWith ?? 0;
  } catch (error) {
    if (stoppedWith !== undefined) return stoppedWith;
    explain(error);
    return 1;
  } finally {
    await run.close();
  }
}

function explain(error: unknown): void {
  console.error(`error: ${error instanceof Error ? error.message : 'Something unknown was thrown.'}`);
}

async function main(): Promise<void> {
  const names = BENCHMARKS.map(({ name }) => name);
  const lines = BENCHMARKS.map(({ name, summary }) => `  ${name.padEnd(11)} ${summary}`);
  await new Command('npm run bench --')
    .description('Measures Shardgate and others on the same servers, in alternation.')
    .addArgument(new Argument('[name]', 'what to measure; default: everything').choices(names))
    // npm keeps options without "--" before them to itself, and tells of them in the environment.
    .addOption(new Option('--quick', 'a look, in less than a minute each').env('npm_config_quick'))
    .option('--only <text>', 'only cases whose name contains this, such as "32 callers"')
    .option('--markdown', 'tables as Markdown')
    .option('--profile', 'our own subjects only: where the time goes, and a .cpuprofile of each case')
    .addOption(
      new Option('--results <directory>', 'where reports and profiles are left').default(
        DEFAULT_RESULTS_DIRECTORY,
        'bench/results',
      ),
    )
    .addHelpText('after', `\nBenchmarks:\n${lines.join('\n')}\n`)
    .action(async (name: string | undefined, given: BenchArguments) => {
      const chosen = BENCHMARKS.filter((benchmark) => name === undefined || benchmark.name === name);
      process.exitCode = await runAll(chosen, given);
      process.exit();
    })
    .parseAsync(process.argv);
}

main().catch((error: unknown) => {
  explain(error);
  process.exit(1);
});
