/** What a caller may send to get out of its transaction, and go on from there. */
export interface TransactionEscape {
  readonly what: string;
  /** Sent one after the other, also after one was refused. */
  readonly sql: readonly string[];
  /** Sent all at once, before any answer. */
  readonly atOnce?: true;
}

const WRITE = `update notes.notes set body = 'written outside'`;
const PREPARE = `prepare transaction 'left_behind'`;

/** Every way out of a transaction that we know of; each goes on as if it had worked. */
export const TRANSACTION_ESCAPES: readonly TransactionEscape[] = [
  ...[
    'commit',
    'end',
    'rollback',
    'abort',
    'commit and chain',
    'rollback and chain',
    "commit prepared 'nothing'",
    PREPARE,
  ].flatMap((end): TransactionEscape[] => [
    { what: `${end}, then writes`, sql: [end, WRITE, 'commit'] },
    { what: `${end}, then begins, writes and prepares`, sql: [end, 'begin', WRITE, PREPARE] },
    { what: `a savepoint, ${end}, then writes and prepares`, sql: ['savepoint a', end, WRITE, PREPARE] },
    { what: `an error, ${end}, then begins and prepares`, sql: ['select 1/0', end, 'begin', WRITE, PREPARE] },
    { what: `${end}, and all at once the rest`, sql: [end, 'begin', WRITE, PREPARE], atOnce: true },
  ]),
  { what: 'a block that commits', sql: ['do $$ begin commit; end $$', 'begin', WRITE, PREPARE] },
  {
    what: 'a commit that a deferred trigger refuses',
    sql: [
      'create temp table t (a int)',
      `create function pg_temp.no() returns trigger language plpgsql as $$begin raise exception 'no'; end$$`,
      'create constraint trigger t after insert on t deferrable initially deferred for each row execute function pg_temp.no()',
      'insert into t values (1)',
      'commit',
      'begin',
      WRITE,
      PREPARE,
    ],
  },
];
