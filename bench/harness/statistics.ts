/** The value that `share` of the values do not exceed, by nearest rank. @throws RangeError when there is no value */
export function quantile(ascending: ArrayLike<number>, share: number): number {
  const rank = Math.max(0, Math.ceil(share * ascending.length) - 1);
  const value = ascending[rank];
  if (value === undefined) throw new RangeError('There is no quantile of nothing.');
  return value;
}

/** The middle value, or the mean of the two in the middle. @throws RangeError when there is no value */
export function median(values: readonly number[]): number {
  const ascending = values.toSorted((a, b) => a - b);
  const middle = Math.floor(ascending.length / 2);
  const upper = ascending[middle];
  const lower = ascending.length % 2 === 0 ? ascending[middle - 1] : upper;
  if (upper === undefined || lower === undefined) throw new RangeError('There is no median of nothing.');
  return (lower + upper) / 2;
}
