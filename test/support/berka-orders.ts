import { Decimal } from 'decimal.js';
import { berkaRows } from './berka-files.js';
import { SeededRandom } from './hostile/seeded-random.js';

const GENERATED_ORDERS = 6_471;
/** Accounts that have orders, and the banks that are paid. */
const GENERATED_PAYERS = 3_758;
const BANKS = ['AB', 'CD', 'EF', 'GH', 'IJ', 'KL', 'MN', 'OP', 'QR', 'ST', 'UV', 'WX', 'YZ'] as const;
const GENERATED_CENTS_MAX = 148_820;

/** A standing order of the bank: what an account pays to an account at another bank, month after month. */
export interface BerkaOrder {
  readonly orderId: string;
  readonly accountNumber: string;
  readonly bank: string;
  readonly amount: string;
}

/** The 6,471 standing orders: the bank's own where the data are, otherwise made up in their shape. */
export function berkaOrders(): readonly BerkaOrder[] {
  const rows = berkaRows('order.tsv');
  if (rows === undefined) return generated();
  return rows.map(([orderId = '', accountId = '', bank = '', , amount = '']) => ({
    orderId,
    accountNumber: `BERKA-${accountId}`,
    bank,
    // It leaves out a zero before the point.
    amount: new Decimal(amount).toFixed(2),
  }));
}

/** The same ones every time: one for each account that has any, and the others for some of them. */
function generated(): BerkaOrder[] {
  const random = new SeededRandom(GENERATED_ORDERS);
  return Array.from({ length: GENERATED_ORDERS }, (_, index) => ({
    orderId: String(index + 1),
    accountNumber: `BERKA-${1 + (index < GENERATED_PAYERS ? index : Math.floor(random.next() * GENERATED_PAYERS))}`,
    bank: random.pick(BANKS),
    amount: new Decimal(1 + Math.floor(random.next() * GENERATED_CENTS_MAX)).div(100).toFixed(2),
  }));
}
