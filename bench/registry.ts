import type { Benchmark } from './harness/benchmark.js';
import { cacheBenchmark } from './benchmarks/cache.js';
import { crossShardBenchmark } from './benchmarks/cross-shard.js';
import { listBenchmark } from './benchmarks/list.js';
import { readBenchmark } from './benchmarks/read.js';
import { routingBenchmark } from './benchmarks/routing.js';
import { transfersBenchmark } from './benchmarks/transfers.js';

/** Every benchmark there is, in the order in which `npm run bench` runs them. */
export const BENCHMARKS: readonly Benchmark[] = [
  readBenchmark,
  listBenchmark,
  cacheBenchmark,
  routingBenchmark,
  transfersBenchmark,
  crossShardBenchmark,
];
