import { randomInt } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
// First: the processes that it stops after the file must be gone before the cluster is.
import { BankSite, type BankAccount } from '../support/bank/bank-site.js';
import { sumOf } from '../support/bank/amounts.js';
import { ledgerFaults, replayAll, reuseKeys } from '../support/bank/bank-audit.js';
import { BankClient } from '../support/bank/bank-client.js';
import { BankFaults } from '../support/bank/bank-faults.js';
import { BankLedger } from '../support/bank/bank-ledger.js';
import { CutWatch, soundCut } from '../support/bank/cut-watch.js';
import { eventually } from '../support/eventually.js';
import { assertLedgerSound } from '../support/ledger-check.js';

const LOAD_MS_MAX = 3_600_000;
const LOAD_MS_DEFAULT = 8_000;
/** How long the load goes on, ms. `npm run faults` goes on for longer. */
const LOAD_MS = Math.min(Number(process.env.SHARDGATE_TEST_FAULTS_MS ?? LOAD_MS_DEFAULT), LOAD_MS_MAX);
/** Of all chance; a run that fails says it. */
const SEED = Number(process.env.SHARDGATE_TEST_FAULTS_SEED ?? randomInt(2 ** 31));

const GATEWAYS = 2;
const ACCOUNTS = 60;
const CLIENTS = 32;
const OPENING_BALANCE = '500.00';
/** How long a transaction may stay prepared after the last fault, ms. */
const IN_DOUBT_MS_MAX = 30_000;
/** How often a run must have seen the sum, or it has put nothing to the test. */
const CUTS_MIN = 6;
/** How long a slow machine may take for those that are still missing once the faults are over, ms. */
const CUTS_MS_MAX = 60_000;
/** How many of the requests are sent with another body as well; to void has none. */
const REUSED = 50;

let site: BankSite;
let watch: CutWatch;
let accounts: BankAccount[];

beforeAll(async () => {
  site = await BankSite.start(GATEWAYS);
  accounts = await Promise.all(
    Array.from({ length: ACCOUNTS }, (_, index) =>
      site.open({
        userId: `user-${index}`,
        number: `BANK-${index}`,
        currency: 'EUR',
        openingBalance: OPENING_BALANCE,
      }),
    ),
  );
  watch = await CutWatch.start(site);
}, 90_000);

afterAll(() => watch.close());

describe(`a bank whose gateways, primaries and connections are lost, for ${LOAD_MS} ms, with seed ${SEED}`, () => {
  it(
    'keeps its sum at every moment, and every promise that it made',
    async () => {
      const ledger = new BankLedger(site.adminUrls);
      const faults = new BankFaults(site, SEED);
      const clients = Array.from({ length: CLIENTS }, (_, client) => {
        return new BankClient(site, accounts, SEED, client);
      });
      const end = new AbortController();
      const load = Promise.all([...clients.map((client) => client.run(end.signal)), watch.run(end.signal)]);
      await Promise.all([faults.run(LOAD_MS), sleep(LOAD_MS)]);
      // While the callers go on, and recovery is about what the last faults left.
      await eventually('the sum was seen several times', () => watch.cuts >= CUTS_MIN, CUTS_MS_MAX);
      end.abort();
      // Before the callers have ended: one that is left would keep them asking.
      await eventually(
        'no transaction is prepared on any server',
        async () => (await ledger.prepared()).length === 0,
        IN_DOUBT_MS_MAX,
      );
      await load;
      const requests = clients.flatMap((client) => client.requests);
      const unknown = requests.filter(({ answer }) => answer === undefined);
      // What the run was like is here to be printed; with its seed in the environment it can be had again.
      const run = {
        seed: SEED,
        ...faults.happened,
        requests: requests.length,
        askedAgain: requests.filter((request) => request.unknown > 0).length,
        unknown: unknown.length,
        refusals: requests.filter(({ answer }) => (answer?.status ?? 0) >= 300).length,
        cuts: watch.cuts,
        noCuts: watch.refused,
      };
      const replays = await replayAll(site, ledger, requests);
      const reused = await reuseKeys(
        site,
        requests.filter(({ path }) => !path.endsWith('/void')).slice(-REUSED),
      );
      const found = { transfers: await ledger.transfers(), accounts: await ledger.accounts() };
      expect({
        run,
        cuts: [...watch.seen.keys()],
        wrong: requests.flatMap(({ wrong }) => wrong),
        replays,
        reused,
        ledger: ledgerFaults(accounts, requests, found),
        prepared: await ledger.prepared(),
      }).toEqual({
        run,
        cuts: [soundCut(sumOf(accounts.map(({ openingBalance }) => openingBalance)))],
        wrong: [],
        replays: [],
        reused: [],
        ledger: [],
        prepared: [],
      });
      await assertLedgerSound(site.cluster.config);
      // Without these nothing was put to the test.
      expect(run.gateway).toBeGreaterThan(0);
      expect(run.primary).toBeGreaterThan(0);
      expect(run.connections).toBeGreaterThan(0);
      expect(run.unknown).toBeGreaterThan(0);
      if (LOAD_MS > LOAD_MS_DEFAULT) process.stdout.write(`${JSON.stringify(run)}\n`);
    },
    LOAD_MS + CUTS_MS_MAX + 180_000,
  );
});
