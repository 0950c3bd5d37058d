import { Decimal } from 'decimal.js';
import { SeededRandom } from '../hostile/seeded-random.js';

/** What becomes of a payment: moved at once, or held and then posted, posted in part, voided, or both at once. */
const PAYMENT_KINDS = ['at once', 'posted', 'posted in part', 'voided', 'raced', 'held'] as const;

/** How many of a hundred payments are moved at once; the others are held first. */
const AT_ONCE_PERCENT = 60;
/** How many of a hundred callers ask no second time when they are not told what came of it. */
const IMPATIENT_PERCENT = 25;
/** In cents; the larger ones are often more than the payer has. */
const CENTS_MAX = 6_000;

/** One payment, as it is meant. */
export interface Payment {
  /** Identifies its requests; their keys begin with it. */
  readonly key: string;
  /** Which account pays and which is paid, by their number in the bank. */
  readonly payer: number;
  readonly payee: number;
  readonly amount: string;
  readonly kind: (typeof PAYMENT_KINDS)[number];
  /** What is posted of it, where that is a part. */
  readonly part: string;
  /** Whether its caller asks again, with the same key, until there is an answer. */
  readonly isPatient: boolean;
  /** Through which gateway it is asked for first. */
  readonly gateway: number;
}

/** The payment that a client makes at its turn; it depends on nothing else than what is given here. */
export function paymentOf(
  seed: number,
  { client, turn, accounts, gateways }: { client: number; turn: number; accounts: number; gateways: number },
): Payment {
  const random = new SeededRandom(seed + client * 1_000_003 + turn * 7_919);
  const among = (count: number): number => Math.floor(random.next() * count);
  const payer = among(accounts);
  const payee = (payer + 1 + among(accounts - 1)) % accounts;
  const cents = 2 + among(CENTS_MAX);
  return {
    key: `${client}.${turn}`,
    payer,
    payee,
    amount: new Decimal(cents).div(100).toFixed(2),
    kind: among(100) < AT_ONCE_PERCENT ? 'at once' : random.pick(PAYMENT_KINDS),
    part: new Decimal(1 + among(cents - 1)).div(100).toFixed(2),
    isPatient: among(100) >= IMPATIENT_PERCENT,
    gateway: among(gateways),
  };
}
