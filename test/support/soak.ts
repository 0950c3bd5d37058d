/**
 * How much of something a test does: `npm test` proves that it works, within minutes; `npm run test:soak` takes its
 * time, where more of the same may find more.
 */
export function howMuch<T>({ short, soak }: { readonly short: T; readonly soak: T }): T {
  return process.env.SHARDGATE_TEST_SOAK === '1' ? soak : short;
}
