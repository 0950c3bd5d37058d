/** Steps of a 32-bit linear congruential generator (Numerical Recipes); its high bits are random enough to pick rows. */
const MULTIPLIER = 1_664_525;
const INCREMENT = 1_013_904_223;
const RANGE = 2 ** 32;

/** Gives whole numbers from 0 to below `bound`: the same ones for the same seed, so that all subjects ask alike. */
export function randomIndices(seed: number, bound: number): () => number {
  let state = (Math.imul(seed + 1, MULTIPLIER) + INCREMENT) >>> 0;
  return () => {
    state = (Math.imul(state, MULTIPLIER) + INCREMENT) >>> 0;
    return Math.floor((state / RANGE) * bound);
  };
}
