import type { Finding } from './finding.js';
import type { LogFacts } from './log-facts.js';

/** What caches in strict mode need of one primary. */
export interface LogNeeds {
  readonly shardId: string;
  /** Gateway processes; each follows by a slot and a sender of its own. */
  readonly processes: number;
  /** The entities' tables. */
  readonly tables: readonly string[];
}

/** What keeps caches in strict mode from following a primary's log: they serve nothing of its shard then. */
export function judgeLog(facts: LogFacts, { shardId, processes, tables }: LogNeeds): Finding[] {
  const findings: Finding[] = [];
  const find = (level: Finding['level'], what: string, fix: string): void => {
    findings.push({ level, where: shardId, what: `strict cache: ${what}`, fix });
  };
  if (facts.walLevel !== 'logical') {
    find('error', `wal_level is ${facts.walLevel}`, 'set wal_level = logical; restart');
  }
  if (facts.refusal !== undefined) {
    find(
      'error',
      `the login of primary.replicationUrl may not follow the log: ${facts.refusal}`,
      'correct the url, give it the server itself and no pooler, or: alter role … replication',
    );
  }
  const missing = tables.filter((table) => !facts.published.includes(table));
  if (missing.length > 0) {
    find(
      'error',
      `not published: ${missing.join(', ')}`,
      'run shardgate migrate with cache.strict; the login of adminUrl needs CREATE on the database',
    );
  }
  const free: readonly (readonly [name: string, count: number])[] = [
    ['max_replication_slots', facts.freeSlots],
    ['max_wal_senders', facts.freeSenders],
  ];
  for (const [setting, count] of free) {
    if (count >= processes) continue;
    // Those that run have theirs already.
    find(
      'warning',
      `${count} of ${setting} are free; each of ${processes} processes needs one`,
      `raise ${setting}, if they are not in use by these processes; restart`,
    );
  }
  if (facts.keptForSlotsMb < 0) {
    find(
      'warning',
      'max_slot_wal_keep_size is unlimited: the log of a process that stands still may fill the disk',
      'set max_slot_wal_keep_size, to 1GB or so; reload',
    );
  }
  return findings;
}
