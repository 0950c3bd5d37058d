/**
 * Waits until `work` has settled, but no longer than `timeoutMs`. The work itself goes on; whether it failed
 * is for whoever awaits it, and never goes unheard here.
 *
 * @returns whether it settled in time
 */
export async function settledWithin(work: Promise<unknown>, timeoutMs: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(resolve, timeoutMs, false);
  });
  const settled = work.then(
    () => true,
    () => true,
  );
  try {
    return await Promise.race([settled, late]);
  } finally {
    clearTimeout(timer);
  }
}
