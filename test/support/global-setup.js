import { register } from 'node:module';

register('./ts-loader.js', import.meta.url);

/** Starts the one cluster of this run, if the run has tests that need it. Plain JavaScript: see ts-loader.js. */
export default async function globalSetup({ testPathPatterns }) {
  const { startRunCluster } = await import('./cluster-run.ts');
  await startRunCluster(testPathPatterns.patterns);
}
