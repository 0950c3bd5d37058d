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
  const { wanted, unwanted } =
    expected === undefined ? judgeByMajority(perShard) : judgeBy(perShard, expected);
  return [...perShard].flatMap(([shardId, lines]) => {
    const present = new Set(lines);
    const missing = wanted.filter((line) => !present.has(line));
    const unexpected = unwanted.filter((line) => present.has(line));
    return missing.length + unexpected.length > 0 ? [{ shardId, missing, unexpected }] : [];
  });
}

/** Lines that every shard should have, and lines that none should; a line may be both when nobody can tell. */
interface Judgement {
  readonly wanted: readonly string[];
  readonly unwanted: readonly string[];
}

function judgeByMajority(perShard: ReadonlyMap<string, readonly string[]>): Judgement {
  const counts = new Map<string, number>();
  for (const lines of perShard.values()) {
    for (const line of new Set(lines)) counts.set(line, (counts.get(line) ?? 0) + 1);
  }
  const half = perShard.size / 2;
  const differing = [...counts].filter(([, count]) => count < perShard.size).sort(byLine);
  return {
    wanted: differing.filter(([, count]) => count >= half).map(([line]) => line),
    unwanted: differing.filter(([, count]) => count <= half).map(([line]) => line),
  };
}

function judgeBy(perShard: ReadonlyMap<string, readonly string[]>, expected: readonly string[]): Judgement {
  const recorded = new Set(expected);
  const seen = new Set([...perShard.values()].flat());
  return { wanted: [...recorded].sort(), unwanted: [...seen].filter((line) => !recorded.has(line)).sort() };
}

function byLine([a]: readonly [string, number], [b]: readonly [string, number]): number {
  return a < b ? -1 : 1;
}
