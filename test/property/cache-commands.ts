import fc from 'fast-check';

/** Rows that are read: by their ids, or all of a table. */
export interface ReadSpec {
  readonly tenantId: string;
  readonly table: string;
  readonly ids: readonly string[] | undefined;
  /** Which commit's token it comes with. */
  readonly token: number | undefined;
  readonly ttlMs: number | undefined;
}

/** Rows that are written, or removed. */
export interface WriteSpec {
  readonly tenantId: string;
  readonly table: string;
  readonly ids: readonly string[];
  /** How exactly the cache is told. */
  readonly told: 'rows' | 'table' | 'anything';
}

/** What happens next. `which` picks one of those that are under way, if there are any. */
export type Command =
  | { readonly do: 'read'; readonly spec: ReadSpec; readonly node: number }
  | { readonly do: 'show' | 'commit' | 'hear'; readonly which: number }
  | { readonly do: 'end'; readonly which: number; readonly fails: boolean }
  | { readonly do: 'begin write' | 'write elsewhere'; readonly spec: WriteSpec }
  | { readonly do: 'tell outcome'; readonly which: number; readonly isKept: boolean }
  | { readonly do: 'replay'; readonly replica: number; readonly part: number }
  | { readonly do: 'turn deaf' | 'hear again' | 'flood' }
  | { readonly do: 'pass'; readonly ms: number }
  | { readonly do: 'clear'; readonly tenantId: string | undefined };

const tenantId = fc.constantFrom('acme', 'acme', 'acme', 'beta');
const table = fc.constantFrom('a', 'a', 'b');
const id = fc.constantFrom('1', '1', '2');
const ids = fc.oneof(
  { weight: 4, arbitrary: id.map((one) => [one]) },
  { weight: 1, arbitrary: fc.constant(['1', '2']) },
);
const which = fc.nat({ max: 11 });

const readSpec: fc.Arbitrary<ReadSpec> = fc.record({
  tenantId,
  table,
  ids: fc.option(ids, { nil: undefined, freq: 3 }),
  token: fc.oneof({ weight: 5, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: which }),
  ttlMs: fc.constantFrom(undefined, undefined, undefined, 300, 5_000),
});

const writeSpec: fc.Arbitrary<WriteSpec> = fc.record({
  tenantId,
  table,
  ids,
  told: fc.constantFrom('rows', 'rows', 'rows', 'table', 'anything'),
});

const commands: Record<string, { weight: number; arbitrary: fc.Arbitrary<Command> }> = {
  read: {
    weight: 16,
    arbitrary: fc.record({ do: fc.constant('read'), spec: readSpec, node: fc.nat({ max: 5 }) }),
  },
  end: {
    weight: 13,
    arbitrary: fc.record({ do: fc.constant('end'), which, fails: fc.constantFrom(...never(9), true) }),
  },
  show: { weight: 3, arbitrary: fc.record({ do: fc.constant('show'), which }) },
  write: { weight: 2.5, arbitrary: fc.record({ do: fc.constant('begin write'), spec: writeSpec }) },
  commit: { weight: 3, arbitrary: fc.record({ do: fc.constant('commit'), which }) },
  outcome: {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('tell outcome'),
      which,
      isKept: fc.constantFrom(true, true, false),
    }),
  },
  elsewhere: { weight: 2, arbitrary: fc.record({ do: fc.constant('write elsewhere'), spec: writeSpec }) },
  hear: { weight: 2, arbitrary: fc.record({ do: fc.constant('hear'), which }) },
  replay: {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('replay'),
      replica: fc.nat({ max: 1 }),
      part: fc.constantFrom(0.5, 1, 1),
    }),
  },
  deaf: { weight: 0.2, arbitrary: fc.constant({ do: 'turn deaf' }) },
  hearAgain: { weight: 1, arbitrary: fc.constant({ do: 'hear again' }) },
  pass: {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('pass'), ms: fc.constantFrom(1, 299, 300, 999) }),
  },
  clear: {
    weight: 0.6,
    arbitrary: fc.record({ do: fc.constant('clear'), tenantId: fc.constantFrom('acme', 'beta', undefined) }),
  },
};

/** Random courses of events. */
export const courses = coursesOf(Object.values(commands));

/** The same, with writes now and then that make the cache forget what exactly was written. */
export const coursesWithFloods = coursesOf([
  ...Object.values(commands),
  { weight: 1, arbitrary: fc.constant({ do: 'flood' }) },
]);

function coursesOf(
  of: { weight: number; arbitrary: fc.Arbitrary<Command> }[],
): fc.Arbitrary<readonly Command[]> {
  // fast-check wants whole weights.
  const weighted = of.map(({ weight, arbitrary }) => ({ weight: weight * 10, arbitrary }));
  return fc.array(fc.oneof(...weighted), { maxLength: 120, size: 'max' });
}

function never(times: number): boolean[] {
  return new Array<boolean>(times).fill(false);
}
