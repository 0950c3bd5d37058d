import { isDeepStrictEqual } from 'node:util';
import pg from 'pg';
import { DataSource, type EntityMetadata } from 'typeorm';
import { PostgresDriver } from 'typeorm/driver/postgres/PostgresDriver.js';
import { PostgresQueryRunner } from 'typeorm/driver/postgres/PostgresQueryRunner.js';
import { referencingTables, writtenRows } from '../../src/persistence/statements/written-rows.js';
import { LIBRARY } from './written-rows-library.js';

/** All rows: their texts, by table and id. Rows without an id are one entry with the id `null`. */
type Contents = ReadonlyMap<string, ReadonlyMap<string | null, readonly string[]>>;

interface ContentRow {
  readonly table: string;
  readonly id: string | null;
  readonly content: string;
}

/** One statement that ran, and what was found. */
export interface Watched {
  readonly sql: string;
  readonly params: readonly unknown[];
  readonly written: ReturnType<typeof writtenRows>;
  /** Rows that changed, as `table id`. */
  readonly changed: readonly string[];
  /** Those of them that were not named. */
  readonly missed: readonly string[];
}

/** A data source that compares all tables before and after each statement with what is said of it. */
export class WatchedDataSource {
  readonly dataSource: DataSource;
  #statements: Watched[] | undefined;

  private constructor(dataSource: DataSource) {
    this.dataSource = dataSource;
  }

  static async open(url: string): Promise<WatchedDataSource> {
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    await client.query('CREATE SCHEMA library; CREATE EXTENSION IF NOT EXISTS "uuid-ossp"');
    await client.end();
    const dataSource = new DataSource({
      type: 'postgres',
      driver: pg,
      url,
      entities: LIBRARY,
      synchronize: true,
    });
    await dataSource.initialize();
    const watched = new WatchedDataSource(dataSource);
    watched.#watch();
    return watched;
  }

  /** The statements that `work` runs one after the other; those of work that fails among them. */
  async statementsOf(work: () => Promise<unknown>): Promise<{ statements: Watched[]; hasFailed: boolean }> {
    const statements: Watched[] = [];
    this.#statements = statements;
    try {
      await work();
      return { statements, hasFailed: false };
    } catch {
      return { statements, hasFailed: true };
    } finally {
      this.#statements = undefined;
    }
  }

  #watch(): void {
    const { driver, entityMetadatas } = this.dataSource;
    if (!(driver instanceof PostgresDriver)) throw new TypeError('The driver is not of PostgreSQL.');
    const watching = (): Watched[] | undefined => this.#statements;
    const referencing = referencingTables(entityMetadatas);
    const contentsSql = contentsSqlOf(entityMetadatas);

    class Watching extends PostgresQueryRunner {
      #previous: Promise<unknown> = Promise.resolve();

      override query<T = unknown>(sql: string, params?: unknown[], structured?: boolean): Promise<T>;
      override query(sql: string, params: unknown[] = [], structured = false): Promise<unknown> {
        // TypeORM sends several at once, and each has to be seen alone.
        const answer = this.#previous.then(() => this.#watched(sql, params, structured));
        this.#previous = answer.catch(() => undefined);
        return answer;
      }

      async #watched(sql: string, params: unknown[], structured: boolean): Promise<unknown> {
        const statements = watching();
        if (statements === undefined) return super.query(sql, params, structured);
        const given = [...params];
        const before = await this.#contents().catch(() => undefined);
        const answer: unknown = await super.query(sql, params, structured);
        // In a transaction that has failed, nothing but its end can run; and undoing what was done is no write.
        if (before === undefined || sql.startsWith('ROLLBACK')) return answer;
        const written = writtenRows(sql, given, { referencing });
        const changed = changes(before, await this.#contents());
        const missed = changed.filter(({ table, id }) => !isNamed(written, table, id));
        const text = ({ table, id }: (typeof changed)[number]): string => `${table} ${id}`;
        const found = { changed: changed.map(text), missed: missed.map(text) };
        statements.push({ sql, params: given, written, ...found });
        return answer;
      }

      async #contents(): Promise<Contents> {
        const rows = (await super.query(contentsSql)) as ContentRow[];
        const contents = new Map<string, Map<string | null, string[]>>();
        for (const { table, id, content } of rows) {
          const ids = contents.get(table) ?? new Map<string | null, string[]>();
          contents.set(table, ids.set(id, [...(ids.get(id) ?? []), content]));
        }
        return contents;
      }
    }

    driver.createQueryRunner = (mode) => new Watching(driver, mode);
  }
}

function contentsSqlOf(metadatas: readonly EntityMetadata[]): string {
  return metadatas
    .map(({ tablePath, schema, tableName }) => {
      const name = tablePath.includes('.') ? tablePath : `public.${tablePath}`;
      const from = `"${schema ?? 'public'}"."${tableName}"`;
      return `SELECT '${name}' AS "table", to_jsonb(r)->>'id' AS "id", r::text AS "content" FROM ${from} r`;
    })
    .join(' UNION ALL ')
    .concat(' ORDER BY 1, 2, 3');
}

function changes(before: Contents, after: Contents): { table: string; id: string | null }[] {
  return [...new Set([...before.keys(), ...after.keys()])].flatMap((table) => {
    const [had, has] = [before.get(table), after.get(table)];
    const ids = new Set([...(had?.keys() ?? []), ...(has?.keys() ?? [])]);
    return [...ids]
      .filter((id) => !isDeepStrictEqual(had?.get(id), has?.get(id)))
      .map((id) => ({ table, id }));
  });
}

function isNamed(written: Watched['written'], table: string, id: string | null): boolean {
  if (written === undefined) return false;
  if (written === 'anything') return true;
  return written.some(
    (each) => each.table === table && (each.ids === undefined || (id !== null && each.ids.includes(id))),
  );
}
