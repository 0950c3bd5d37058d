/** How one shard's schema differs from the others'. */
export interface ShardDrift {
  readonly shardId: string;
  /** What it lacks. */
  readonly missing: readonly string[];
  /** What it has beyond the others. */
  readonly unexpected: readonly string[];
}

/**
 * Compares schemas line by line. A line is expected when it is in `expected`, or, without that, on more
 * than half of the shards. A line on exactly half of them (one of two, say) cannot be judged, and is named
 * on both sides: as unexpected where it is, as missing where it is not.
 *
 * @param perShard the schema of each shard that could be read, as sorted lines
 * @returns one entry per shard that differs, in the order of the shards
 */
export function findDrift(
  perShard: ReadonlyMap<string, readonly string[]>,
  expected?: readonly string[],
): ShardDrift[] {
  const counts = new Map<string, number>();
  for (const lines of perShard.values()) {
    for (const line of new Set(lines)) counts.set(line, (counts.get(line) ?? 0) + 1);
  }
  const recorded = expected === undefined ? undefined : new Set(expected);
  const half = perShard.size / 2;
  const isWanted = (line: string) => recorded?.has(line) ?? (counts.get(line) ?? 0) >= half;
  const isSurplus = (line: string) =>
    recorded === undefined ? isOnSomeOnly(line) && (counts.get(line) ?? 0) <= half : !recorded.has(line);
  const isOnSomeOnly = (line: string) => (counts.get(line) ?? 0) < perShard.size;

  const wanted = [...(recorded ?? counts.keys())].filter(isWanted).sort(byCodeUnit);
  return [...perShard].flatMap(([shardId, lines]) => {
    const present = new Set(lines);
    const missing = wanted.filter((line) => !present.has(line));
    const unexpected = [...present].filter(isSurplus).sort(byCodeUnit);
    return missing.length + unexpected.length > 0 ? [{ shardId, missing, unexpected }] : [];
  });
}

function byCodeUnit(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
