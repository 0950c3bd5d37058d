/** One row as the driver gives it: column name to value. */
export type SqlRow = Record<string, unknown>;

/**
 * The narrowest thing that runs SQL. Code that only needs statements and rows takes this instead of a
 * connection, so that it knows neither driver nor pool.
 */
export interface SqlExecutor {
  /** Runs one statement with `$1`-style parameters and resolves with its rows. */
  query<Row extends SqlRow = SqlRow>(sql: string, params?: readonly unknown[]): Promise<Row[]>;
}
