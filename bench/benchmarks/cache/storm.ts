import { setImmediate as nextTurn } from 'node:timers/promises';
import { GatewayContext, type ShardedRepository } from '../../../src/index.js';
import type { Account } from '../../../src/modules/accounts/account.js';
import type { BenchCase, Subject } from '../../harness/benchmark.js';
import { randomIndices } from '../../harness/random-indices.js';
import { readAhead, SCOPE } from './scope.js';
import type { WriteStorm } from './write-storm.js';

const CALLERS = 32;

const OURS = 'shardgate';
const PRIMARY = 'shardgate, primary alone';

/** Where our answers came from. */
export interface StormReads {
  fromCache: number;
  /** Asked of a database, or joined to somebody else's asking. */
  elsewhere: number;
}

/** Reads amid writes, by us and by us without a cache. Of the latter, only the primary's are as new as the cache's. */
export function stormCase(
  storm: WriteStorm,
  repository: ShardedRepository<Account>,
  reads: StormReads,
): BenchCase {
  const hits = subjectOf(
    OURS,
    storm,
    (id) => repository.findById(id),
    () => {
      if (GatewayContext.trace()?.source === 'cache') reads.fromCache += 1;
      else reads.elsewhere += 1;
    },
  );
  const primary = subjectOf(PRIMARY, storm, (id) => repository.findById(id, { from: 'primary' }));
  return {
    name: '90 % hits under writes',
    callers: CALLERS,
    subjects: [hits, primary],
    comparisons: [{ subject: OURS, against: PRIMARY }],
  };
}

/** Each read has a scope and a turn of the event loop of its own, as a request has. */
function subjectOf(
  name: string,
  storm: WriteStorm,
  read: (id: string) => Promise<Account | null>,
  note?: () => void,
): Subject {
  return {
    name,
    isOurs: true,
    // What was written in the others' round is not there yet.
    prepare: () =>
      GatewayContext.run(SCOPE, () =>
        readAhead(storm.accounts, async ({ account }) => {
          await read(account.id);
        }),
      ),
    around: (loop) => storm.around(loop),
    turnOf: (caller) => {
      const next = randomIndices(caller, storm.accounts.length);
      return async () => {
        await nextTurn();
        const written = storm.accounts[next()];
        if (written === undefined) throw new RangeError('There is nothing to read.');
        await GatewayContext.run(SCOPE, async () => {
          await storm.check(written, read);
          note?.();
        });
      };
    },
  };
}
