import { describe, expect, it } from '@jest/globals';
import { judgeLog } from '../../src/cli/doctor/judge-log.js';
import type { LogFacts } from '../../src/cli/doctor/log-facts.js';

const READY: LogFacts = {
  walLevel: 'logical',
  freeSlots: 2,
  freeSenders: 2,
  keptForSlotsMb: 1_024,
  published: ['finance.accounts', 'finance.transactions'],
  refusal: undefined,
};

function judged(facts: Partial<LogFacts>): string[] {
  const needs = { shardId: 's0', processes: 2, tables: ['finance.accounts'] };
  return judgeLog({ ...READY, ...facts }, needs).map(({ level, what }) => `${level} ${what}`);
}

describe('doctor, of a primary whose log caches follow', () => {
  it('has nothing to say where all is there', () => {
    expect(judged({})).toEqual([]);
  });

  it.each<[string, Partial<LogFacts>]>([
    ['error strict cache: wal_level is replica', { walLevel: 'replica' }],
    ['error strict cache: not published: finance.accounts', { published: ['finance.transactions'] }],
    ['error strict cache: the login of primary.replicationUrl may not follow the log: no', { refusal: 'no' }],
    [
      'warning strict cache: 1 of max_replication_slots are free; each of 2 processes needs one',
      { freeSlots: 1 },
    ],
    [
      'warning strict cache: 0 of max_wal_senders are free; each of 2 processes needs one',
      { freeSenders: 0 },
    ],
    [
      'warning strict cache: max_slot_wal_keep_size is unlimited: the log of a process that stands still may fill the disk',
      { keptForSlotsMb: -1 },
    ],
  ])('says what is missing: %s', (finding, facts) => {
    expect(judged(facts)).toEqual([finding]);
  });
});
