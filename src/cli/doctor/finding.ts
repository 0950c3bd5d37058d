/** Something that doctor found. An `error` stops the gateway or loses what it promises; a `warning` may. */
export interface Finding {
  readonly level: 'error' | 'warning';
  /** Where: a node, a shard or `catalog`. */
  readonly where: string;
  readonly what: string;
  readonly fix: string;
}
