import { createHash } from 'node:crypto';
import pg from 'pg';
import { DataSource, type Repository } from 'typeorm';
import type { ShardedEntity } from '../../src/persistence/sharded-entity.js';
import { declareEntity, type EntitySpec } from './random-entity.js';

/** The rows are of two tenants in turn. */
export const TENANTS = ['acme', "o'brien_1"] as const;

let tables = 0;

/** Makes the table of a random entity with these rows, some of them deleted softly, and drops it afterwards. */
export async function withRandomTable(
  given: {
    readonly spec: EntitySpec;
    readonly skipConstructor: boolean;
    readonly rows: readonly (readonly unknown[])[];
    readonly adminUrl: string;
    readonly client: pg.Client;
  },
  run: (repository: Repository<ShardedEntity>) => Promise<void>,
): Promise<void> {
  const table = `random_${++tables}`;
  const entity = declareEntity(given.spec, table);
  const dataSource = new DataSource({
    type: 'postgres',
    driver: pg,
    url: given.adminUrl,
    entities: [entity],
    synchronize: true,
    entitySkipConstructor: given.skipConstructor,
    extra: { max: 1 },
  });
  await dataSource.initialize();
  try {
    const repository = dataSource.getRepository(entity);
    for (const [index, row] of given.rows.entries()) {
      const { sql, params } = insertion(repository, given.spec, row, index);
      await given.client.query(sql, params);
    }
    await run(repository);
  } finally {
    await given.client.query(`DROP TABLE ${table}`);
    await dataSource.destroy();
  }
}

function insertion(
  { metadata }: Repository<ShardedEntity>,
  spec: EntitySpec,
  row: readonly unknown[],
  index: number,
): { sql: string; params: unknown[] } {
  const columns = spec.columns.map((_, at) =>
    metadata.columns.find((each) => each.propertyName === `c${at}`)!,
  );
  const values: [name: string, value: unknown][] = [
    ['tenant_id', TENANTS[index % 2]],
    ['id', uuidOf(index)],
    ['user_id', 'user'],
    ['bucket', 7],
    ...columns.map(({ databaseName }, at): [string, unknown] => [databaseName, row[at]]),
  ];
  if (spec.deletable) values.push(['deletedAt', index % 5 === 4 ? '2024-01-01' : null]);
  return {
    sql: `INSERT INTO ${metadata.tablePath} (${values.map(([name]) => `"${name}"`).join()})
          VALUES (${values.map((_, at) => `$${at + 1}`).join()})`,
    params: values.map(([, value]) => value),
  };
}

/** Ids in another order than the rows. */
function uuidOf(index: number): string {
  const hex = createHash('sha256').update(String(index)).digest('hex');
  return hex.slice(0, 32).replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}
