import type { Finding } from './finding.js';
import type { ServerFacts } from './server-facts.js';

/** What a server is meant to be. */
export interface ExpectedServer {
  readonly id: string;
  readonly role: 'catalog' | 'primary' | 'replica';
  /** Connections that all gateway processes together may open. */
  readonly neededConnections: number;
  /** Replica: the identity of its primary, where that could be asked. */
  readonly primaryIdentifier?: string | undefined;
}

const VERSION_MIN = 150_000;
/** Instants in answers come from the servers; more than this is visible to people. */
const CLOCK_SKEW_MAX_MS = 1_000;

/** What is wrong with a server's settings and state. */
export function judgeServer(facts: ServerFacts, expected: ExpectedServer): Finding[] {
  const findings = [...judgeSettings(facts, expected), ...judgeRole(facts, expected)];
  return findings.map(([level, what, fix]) => ({ level, where: expected.id, what, fix }));
}

type Judgement = readonly [level: Finding['level'], what: string, fix: string];

function* judgeSettings(
  facts: ServerFacts,
  { role, neededConnections }: ExpectedServer,
): Generator<Judgement> {
  if (facts.version < VERSION_MIN) {
    yield ['error', `it runs PostgreSQL ${Math.floor(facts.version / 10_000)}`, 'upgrade it to 15 or newer'];
  }
  if (facts.loginIsPrivileged) {
    yield [
      'error',
      "the gateway's login is a superuser or has BYPASSRLS: row-level security does not hold for it",
      'give an ordinary login as url, and this one as adminUrl',
    ];
  }
  if (role === 'primary' && facts.walLevel === 'minimal') {
    yield [
      'error',
      'wal_level is minimal: no replica can follow',
      'set wal_level = replica or logical; restart',
    ];
  }
  if (role === 'primary' && facts.maxPreparedTransactions === 0) {
    yield [
      'warning',
      'max_prepared_transactions is 0: no transaction can span shards',
      'set it to max_connections or so; restart, replicas first',
    ];
  }
  if (neededConnections > facts.admittedConnections) {
    yield [
      'warning',
      `the pools may need ${neededConnections} connections, the server admits ${facts.admittedConnections}`,
      'raise max_connections, or lower pool.size, pool.overflow or the number of processes',
    ];
  }
  if (Math.abs(facts.clockAheadMs) > CLOCK_SKEW_MAX_MS) {
    const seconds = (Math.abs(facts.clockAheadMs) / 1000).toFixed(1);
    yield [
      'warning',
      `its clock is ${seconds} s ${facts.clockAheadMs > 0 ? 'ahead of' : 'behind'} this machine's`,
      'have both follow a time server (NTP)',
    ];
  }
}

function* judgeRole(facts: ServerFacts, { role, primaryIdentifier }: ExpectedServer): Generator<Judgement> {
  if (role !== 'replica') {
    if (facts.inRecovery) {
      yield ['error', 'it is a standby: no writes are possible', 'promote it, or correct its url'];
    }
    return;
  }
  if (!facts.inRecovery) {
    yield [
      'error',
      'it is no standby: its rows are not those of its primary',
      'rebuild it, or correct its url',
    ];
  } else if (!facts.isReceiving) {
    yield ['warning', 'it receives no write-ahead log', 'see that its primary runs and lets it connect'];
  }
  if (primaryIdentifier !== undefined && primaryIdentifier !== facts.systemIdentifier) {
    yield ['error', 'it follows another primary than that of its shard', 'correct its url, or rebuild it'];
  }
}
