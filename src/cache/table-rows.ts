/** Rows of one table of one tenant on one shard: what a write changed, or what an answer was made of. */
export interface TableRows {
  /** As TypeORM's metadata has it: `schema.table`, without quotes. */
  readonly table: string;
  /** Values of the `id` column; undefined where it is not known which rows. */
  readonly ids: readonly string[] | undefined;
}

/** What a write changed: rows of known tables, or, where that cannot be told, anything of the tenant on its shard. */
export type WrittenRows = readonly TableRows[] | 'anything';
