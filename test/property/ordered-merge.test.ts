import { describe, expect, it } from '@jest/globals';
import { Decimal } from 'decimal.js';
import fc from 'fast-check';
import { mergeOrdered, type OrderedRows } from '../../src/sharding/scatter-gather/ordered-merge.js';
import {
  compareRows,
  type OrderKey,
  type OrderKeyType,
} from '../../src/sharding/scatter-gather/row-order.js';

interface Row {
  readonly name: string | null;
  readonly amount: string | null;
  readonly source: number;
}

const row = fc.record({
  name: fc.option(fc.string({ unit: 'binary', maxLength: 3 })),
  amount: fc.option(fc.integer({ min: -20, max: 20 }).map((units) => new Decimal(units).div(4).toFixed(4))),
});

const keys = fc
  .record({
    directions: fc.tuple(fc.constantFrom('ASC', 'DESC'), fc.constantFrom('ASC', 'DESC')),
    nulls: fc.constantFrom('FIRST', 'LAST', undefined),
  })
  .map(({ directions: [first, second], nulls }): OrderKey<Row>[] => [
    { get: ({ amount }) => amount, type: 'numeric', direction: first, ...(nulls && { nulls }) },
    { get: ({ name }) => name, type: 'text', direction: second },
  ]);

async function* streamed<Value>(values: readonly Value[]): AsyncGenerator<Value> {
  for (const value of values) {
    await Promise.resolve();
    yield value;
  }
}

async function collect<Value>(rows: AsyncIterable<Value>): Promise<Value[]> {
  const collected: Value[] = [];
  for await (const value of rows) collected.push(value);
  return collected;
}

/** Sorts values of one type as a list with one key would be. */
function sorted(
  type: OrderKeyType,
  values: readonly unknown[],
  direction: 'ASC' | 'DESC' = 'ASC',
  nulls?: 'FIRST' | 'LAST',
): unknown[] {
  const key: OrderKey<{ value: unknown }> = {
    get: ({ value }) => value,
    type,
    direction,
    ...(nulls && { nulls }),
  };
  return values
    .map((value) => ({ value }))
    .sort(compareRows([key]))
    .map(({ value }) => value);
}

describe('the ordered merge', () => {
  it('gives what sorting all rows together gives, from arrays and streams alike', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(row), { maxLength: 6 }),
        keys,
        fc.boolean(),
        async (lists, order, stream) => {
          const compare = compareRows(order);
          const shards = lists.map((list, source) =>
            list.map((fields) => ({ ...fields, source })).sort(compare),
          );
          const sources: OrderedRows<Row>[] = shards.map((list, index) =>
            stream && index % 2 === 0 ? streamed(list) : list,
          );
          const merged = await collect(mergeOrdered(sources, compare));
          // The sort is stable, so equal rows stay in the order of their shards.
          expect(merged).toEqual(shards.flat().sort(compare));
        },
      ),
    );
  });

  it('reads no more than it needs, and closes every source when the caller has enough', async () => {
    const read = [0, 0];
    const closed = [false, false];
    async function* endless(source: 0 | 1): AsyncGenerator<number> {
      try {
        for (let value = source; ; value += 2) {
          read[source] = read[source]! + 1;
          await Promise.resolve();
          yield value;
        }
      } finally {
        closed[source] = true;
      }
    }
    const taken: number[] = [];
    for await (const value of mergeOrdered([endless(0), endless(1)], (a, b) => a - b)) {
      taken.push(value);
      if (taken.length === 10) break;
    }
    expect(taken).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(Math.max(...read)).toBeLessThanOrEqual(6);
    expect(closed).toEqual([true, true]);
  });

  it('fails with the source that fails, and closes the others', async () => {
    let isClosed = false;
    async function* sound(): AsyncGenerator<number> {
      try {
        await Promise.resolve();
        yield 1;
        yield 3;
      } finally {
        isClosed = true;
      }
    }
    async function* broken(): AsyncGenerator<number> {
      await Promise.resolve();
      yield 2;
      throw new Error('connection lost');
    }
    await expect(collect(mergeOrdered([sound(), broken()], (a, b) => a - b))).rejects.toThrow(
      'connection lost',
    );
    expect(isClosed).toBe(true);
  });
});

describe('the order of rows', () => {
  it('has text in the byte order of UTF-8', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'binary' })), (texts) => {
        const bytes = [...texts].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
        expect(sorted('text', texts)).toEqual(bytes);
      }),
    );
    expect(sorted('text', ['😀', '\uffff', 'é', 'z', 'Z', '', 'zz'])).toEqual([
      '',
      'Z',
      'z',
      'zz',
      'é',
      '\uffff',
      '😀',
    ]);
  });

  it('has bigint and numeric by value, beyond what a float can tell apart', () => {
    const bigints = ['9007199254740993', '9007199254740992', '-5', '10', '9'];
    expect(sorted('bigint', bigints)).toEqual(['-5', '9', '10', '9007199254740992', '9007199254740993']);
    const numerics = [
      'NaN',
      '1.0001',
      '9999999999999999.9999',
      '9999999999999999.9998',
      '-2',
      'Infinity',
      '10',
    ];
    expect(sorted('numeric', numerics)).toEqual([
      '-2',
      '1.0001',
      '10',
      '9999999999999999.9998',
      '9999999999999999.9999',
      'Infinity',
      'NaN',
    ]);
  });

  it('has NaN as the greatest number and false before true', () => {
    expect(sorted('number', [Number.NaN, 1, Infinity, -Infinity])).toEqual([
      -Infinity,
      1,
      Infinity,
      Number.NaN,
    ]);
    expect(sorted('boolean', [true, false, true])).toEqual([false, true, true]);
    expect(sorted('uuid', ['B0', 'a1', 'A0'])).toEqual(['A0', 'a1', 'B0']);
  });

  it('has instants to their last digit, in the forms that drivers give', () => {
    const instants = [
      'infinity',
      '2024-01-02T00:00:00.000002Z',
      '2024-01-02T00:00:00.0000015Z',
      '2024-01-02 00:00:00.000001+00',
      new Date('2024-01-02T00:00:00Z'),
      '2024-01-02 01:59:59.999999+02',
      '2024-01-02 05:29:59+05:30',
      '2024-01-01 23:59:58',
      '2024-01-01',
      '1969-12-31T23:59:59.9999Z',
      '0099-01-01 00:00:00+00',
      -Infinity,
    ];
    expect(sorted('date', instants)).toEqual([...instants].reverse());
    for (const text of ['yesterday', '2024-13-01', '2024-01-02T25:00:00Z']) {
      expect(() => sorted('date', [text, '2024-01-01'])).toThrow(TypeError);
    }
  });

  it('has nulls where the server has them, or where the list says', () => {
    const values = [2, null, 1];
    expect(sorted('number', values, 'ASC')).toEqual([1, 2, null]);
    expect(sorted('number', values, 'DESC')).toEqual([null, 2, 1]);
    expect(sorted('number', values, 'ASC', 'FIRST')).toEqual([null, 1, 2]);
    expect(sorted('number', values, 'DESC', 'LAST')).toEqual([2, 1, null]);
  });
});
