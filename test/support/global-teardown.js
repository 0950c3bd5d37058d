/** Stops the cluster of this run and removes its directory. The hooks of global-setup.js are in place still. */
export default async function globalTeardown() {
  const { stopRunCluster } = await import('./cluster-run.ts');
  await stopRunCluster();
}
