import { Decimal } from 'decimal.js';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pLimit from 'p-limit';
// First: the processes that it stops after the file must be gone before the cluster is.
import { BankSite, type BankAccount } from '../support/bank/bank-site.js';
import { sumOf } from '../support/bank/amounts.js';
import { ledgerFaults } from '../support/bank/bank-audit.js';
import { BankLedger } from '../support/bank/bank-ledger.js';
import { CutWatch, soundCut } from '../support/bank/cut-watch.js';
import { KeyedRequest } from '../support/bank/keyed-request.js';
import { berkaAccounts } from '../support/berka-accounts.js';
import { berkaOrders, type BerkaOrder } from '../support/berka-orders.js';
import { eventually } from '../support/eventually.js';
import { assertLedgerSound } from '../support/ledger-check.js';

/** How many months are paid. `npm run faults` pays for a year, and loses a primary in the middle of it. */
const MONTHS = Number(process.env.SHARDGATE_TEST_ORDER_MONTHS ?? 1);
const CONCURRENCY = 64;
/** Of how many accounts one's orders are paid: of all in the long form. */
const SHARE = MONTHS > 1 ? 1 : 3;
/** One account in so many has half of what its orders come to. */
const POOR = 10;

const ORDERS = ordersOfShare();
const BANKS = [...new Set(ORDERS.map(({ bank }) => bank))];

function ordersOfShare(): BerkaOrder[] {
  const orders = berkaOrders();
  const payers = [...new Set(orders.map(({ accountNumber }) => accountNumber))];
  const chosen = new Set(payers.filter((_, index) => index % SHARE === 0));
  return orders.filter(({ accountNumber }) => chosen.has(accountNumber));
}

/** An order of one month, and the request that is its payment. */
interface Payment {
  readonly order: BerkaOrder;
  readonly request: KeyedRequest;
}

let site: BankSite;
let watch: CutWatch;
/** By their numbers: of the payers, and of the banks. */
let accounts: ReadonlyMap<string, BankAccount>;

beforeAll(async () => {
  site = await BankSite.start(MONTHS > 1 ? 2 : 1);
  const owners = new Map(berkaAccounts().map(({ accountNumber, ownerId }) => [accountNumber, ownerId]));
  const due = new Map<string, Decimal>();
  for (const { accountNumber, amount } of ORDERS) {
    due.set(accountNumber, (due.get(accountNumber) ?? new Decimal(0)).plus(amount));
  }
  const payers = [...due].map(([number, monthly], index) => ({
    userId: owners.get(number) ?? '',
    number,
    openingBalance: monthly.times(MONTHS).div(index % POOR === 0 ? 2 : 1),
  }));
  const banks = BANKS.map((bank) => ({
    userId: `bank-${bank}`,
    number: `BANK-${bank}`,
    openingBalance: new Decimal(0),
  }));
  const opened = await pLimit(CONCURRENCY).map([...payers, ...banks], async (account) => {
    const openingBalance = account.openingBalance.toFixed(2, Decimal.ROUND_DOWN);
    return [account.number, await site.open({ ...account, currency: 'CZK', openingBalance })] as const;
  });
  accounts = new Map(opened);
  watch = await CutWatch.start(site);
}, 240_000);

afterAll(() => watch.close());

function paymentOf(order: BerkaOrder, month: number): Payment {
  const body = {
    fromAccountId: accounts.get(order.accountNumber)!.id,
    toAccountId: accounts.get(`BANK-${order.bank}`)!.id,
    amount: order.amount,
  };
  return { order, request: new KeyedRequest('/v1/transfers', body, `order ${order.orderId} of ${month}`) };
}

/** Pays one month's orders, with the primary of a shard lost in the middle where one is named. */
async function pay(payments: readonly Payment[], lostShardId: string | undefined): Promise<void> {
  await pLimit(CONCURRENCY).map([...payments], async ({ request }, index) => {
    if (index === payments.length >> 1 && lostShardId !== undefined) {
      await site.cluster.hold(lostShardId);
      await site.cluster.release(lostShardId);
    }
    await request.ask(site, index, true);
  });
}

describe(`a real bank's ${ORDERS.length} standing orders to accounts at ${BANKS.length} banks, for ${MONTHS} months`, () => {
  it(
    'are done once each, or refused for want of funds, while the bank’s sum stays the same',
    async () => {
      const ledger = new BankLedger(site.adminUrls);
      const end = new AbortController();
      const watching = watch.run(end.signal);
      const payments: Payment[] = [];
      for (let month = 1; month <= MONTHS; month += 1) {
        const due = ORDERS.map((order) => paymentOf(order, month));
        await pay(due, MONTHS > 1 && month === Math.ceil(MONTHS / 2) ? 's0' : undefined);
        payments.push(...due);
      }
      await eventually(
        'no transaction is prepared',
        async () => (await ledger.prepared()).length === 0,
        30_000,
      );
      await eventually('a last cut is made', () => watch.look());
      end.abort();
      await watching;

      const requests = payments.map(({ request }) => request);
      const found = { transfers: await ledger.transfers(), accounts: await ledger.accounts() };
      expect(ledgerFaults([...accounts.values()], requests, found)).toEqual([]);
      expect(requests.flatMap(({ wrong }) => wrong)).toEqual([]);

      const refused = payments.filter(({ request }) => request.done === undefined);
      const others = refused.filter(({ request }) => request.answer?.body.code !== 'insufficient_funds');
      expect(others.map(({ request }) => `${request.key}: ${request.answer?.text ?? 'unknown'}`)).toEqual([]);
      expect(refused.length).toBeGreaterThan(0);
      // Nobody pays into these accounts: what is too much once is too much ever after.
      const balances = new Map(found.accounts.map(({ id, balance }) => [id, new Decimal(balance)]));
      const affordable = refused.filter(({ order }) =>
        balances.get(accounts.get(order.accountNumber)!.id)!.greaterThanOrEqualTo(order.amount),
      );
      expect(affordable).toEqual([]);

      const opening = sumOf([...accounts.values()].map(({ openingBalance }) => openingBalance));
      expect([...watch.seen.keys()]).toEqual([soundCut(opening)]);
      await assertLedgerSound(site.cluster.config);
    },
    MONTHS * 60_000 + 120_000,
  );
});
