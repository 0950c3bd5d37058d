import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import pg from 'pg';
import { In, type Repository } from 'typeorm';
import { CompiledEntity, type CompiledSelect } from '../../src/persistence/compiled/compiled-entity.js';
import type { TextParser } from '../../src/persistence/compiled/field-reader.js';
import { closureReader } from '../../src/persistence/compiled/row-reader.js';
import type { ShardedEntity } from '../../src/persistence/sharded-entity.js';
import { startOwnCluster } from '../support/cluster.js';
import { difference } from './difference.js';
import { entitySpecs, rowsOf } from './random-entity.js';
import { findOptions, findSpecs, type FindSpec } from './random-find.js';
import { pageOf, pageSpecs, typeormPage, type PageSpec } from './random-page.js';
import { TENANTS, withRandomTable } from './random-table.js';

const RUNS = 50;
const FINDS_PER_RUN = 12;

const parserOf: (typeId: number) => unknown = pg.types.getTypeParser;

let adminUrl: string;
let client: pg.Client;
const counts = { finds: 0, compiled: 0, rows: 0 };

/** A repository of TypeORM's, and the same entity compiled. */
class BothWays {
  readonly repository: Repository<ShardedEntity>;
  readonly compiled: CompiledEntity<ShardedEntity>;

  constructor(repository: Repository<ShardedEntity>) {
    const compiled = CompiledEntity.of<ShardedEntity>(repository.metadata);
    if (compiled === undefined) throw new Error('The entity was not compiled.');
    [this.repository, this.compiled] = [repository, compiled];
  }

  /**
   * Runs a compiled statement past TypeORM, the fields staying the text that the server sent, and compares.
   *
   * @param isOrdered whether the order of rows counts
   */
  async compare(
    select: CompiledSelect,
    byTypeorm: Promise<ShardedEntity[]>,
    isOrdered: boolean,
  ): Promise<void> {
    const [expected, raw] = await Promise.all([outcome(byTypeorm), outcome(this.#run(select))]);
    if ('failure' in expected || 'failure' in raw) {
      expect(raw).toEqual(expected);
      return;
    }
    const { metadata } = this.repository;
    const parsers = raw.value.fields.map(({ dataTypeID }) => parserOf(dataTypeID) as TextParser);
    const arranged = (rows: unknown[]): unknown[] =>
      isOrdered ? rows : inOrderOfIds(rows as ShardedEntity[]);
    const wanted = arranged(expected.value);
    const { known, knownColumns } = select;
    const readers = [
      this.compiled.rowReader(parsers, knownColumns),
      closureReader(metadata, parsers, knownColumns),
    ];
    for (const read of readers) {
      const kept = raw.value.rows.map((fields) => [...fields]);
      const objects = new Set<object>();
      // A reader leaves in a row what is less work the next time, and gives nothing twice.
      for (let times = 0; times < 3; times += 1) {
        const rows = kept.map((fields) => read(fields, known));
        expect(difference(arranged(rows), wanted)).toBeUndefined();
        for (const object of objectsIn(rows)) {
          expect(objects.has(object)).toBe(false);
          objects.add(object);
        }
      }
    }
    counts.rows += wanted.length;
  }

  #run({ text, params }: CompiledSelect): Promise<pg.QueryArrayResult<(string | null)[]>> {
    const types = { getTypeParser: () => (value: string) => value };
    return client.query({ text, values: [...params], rowMode: 'array', types });
  }
}

/** Every object that can be reached and changed, but classes. */
function objectsIn(value: unknown, found = new Set<object>()): Set<object> {
  if (typeof value !== 'object' || value === null || found.has(value)) return found;
  found.add(value);
  for (const part of Object.values(value)) objectsIn(part, found);
  return found;
}

/** What a promise comes to: its value, or the SQLSTATE of its error. */
async function outcome<T>(promise: Promise<T>): Promise<{ value: T } | { failure: unknown }> {
  try {
    return { value: await promise };
  } catch (error) {
    const { code, driverError } = error as { code?: unknown; driverError?: { code?: unknown } };
    return { failure: driverError?.code ?? code ?? error };
  }
}

function inOrderOfIds(rows: readonly ShardedEntity[]): unknown[] {
  return [...rows].sort((one, other) => (one.id < other.id ? -1 : 1));
}

const cases = entitySpecs.chain((spec) =>
  fc.record({
    spec: fc.constant(spec),
    skipConstructor: fc.boolean(),
    rows: rowsOf(spec),
    finds: fc.array(findSpecs, { minLength: FINDS_PER_RUN, maxLength: FINDS_PER_RUN }),
    pages: fc.array(pageSpecs, { minLength: 6, maxLength: 6 }),
  }),
);

describe('finds that are compiled', () => {
  beforeAll(async () => {
    const cluster = await startOwnCluster({ shards: 1, replicas: 0 });
    ({ adminUrl } = cluster.config.shards[0]!.primary);
    client = new pg.Client({ connectionString: adminUrl });
    await client.connect();
  }, 60_000);

  afterAll(() => client.end());

  it('answer what TypeORM answers, down to the classes of the values, for random entities, rows and options', async () => {
    const property = fc.asyncProperty(cases, async ({ spec, skipConstructor, rows, finds, pages }) => {
      await withRandomTable({ spec, skipConstructor, rows, adminUrl, client }, async (repository) => {
        const both = new BothWays(repository);
        const all = await repository.find({ withDeleted: true });
        const compareFind = async (find: FindSpec): Promise<void> => {
          const options = () => findOptions(spec, find, all, TENANTS[0]);
          const select = both.compiled.select(options());
          counts.finds += 1;
          if (select === undefined) return;
          counts.compiled += 1;
          await both.compare(select, repository.find(options()), options().order !== undefined);
        };
        const comparePage = async (given: PageSpec): Promise<void> => {
          const page = pageOf(repository.metadata, given, all, TENANTS[0]);
          const select = both.compiled.selectPage(page);
          expect(select).toBeDefined();
          await both.compare(select!, typeormPage(repository, page), true);
        };
        for (const find of finds) await compareFind(find);
        for (const page of pages) await comparePage(page);
        const ids = all.map(({ id }) => id);
        const [tenantId] = [TENANTS[1]];
        const { one, several } = both.compiled.byIds!;
        const byIds = { ...several, ids: undefined, params: [tenantId, ids], known: [tenantId] };
        await both.compare(byIds, repository.find({ where: { tenantId, id: In(ids) } }), false);
        for (const id of ids.slice(0, 2)) {
          const byId = { ...one, ids: undefined, params: [tenantId, id], known: [tenantId, id] };
          await both.compare(byId, repository.find({ where: { tenantId, id } }), false);
        }
      });
    });
    await fc.assert(property, {
      numRuns: RUNS,
      interruptAfterTimeLimit: 90_000,
      markInterruptAsFailure: true,
    });
    // The comparison would say nothing if hardly anything were compiled, or hardly anything found.
    expect(counts.compiled / counts.finds).toBeGreaterThan(0.8);
    expect(counts.rows / counts.finds).toBeGreaterThan(1);
  }, 120_000);
});
