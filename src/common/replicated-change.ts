/** One row as logical replication tells of it. What is undefined was not told. */
export interface ReplicatedRow {
  readonly tenantId: string | undefined;
  readonly id: string | undefined;
}

/** What one change within a replicated transaction touched. */
export type ReplicatedChange =
  | {
      /** `schema.table`, without quotes. */
      readonly table: string;
      /** The row as it is now and, where its identity changed, as it was. */
      readonly rows: readonly ReplicatedRow[];
    }
  /** Whole tables. */
  | 'everything';

/** Which history a place in the write-ahead log belongs to. */
export interface LogHistory {
  /** Differs between servers that do not descend from each other. */
  readonly systemIdentifier: string;
  readonly timeline: number;
}
