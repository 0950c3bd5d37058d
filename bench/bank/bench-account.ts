import { Decimal } from 'decimal.js';
import { MONEY_SCALE } from '../../src/persistence/money-column.js';

/** An account that was loaded, and what every read of it must find. */
export class BenchAccount {
  readonly tenantId: string;
  readonly userId: string;
  readonly bucket: number;
  readonly id: string;
  readonly accountNumber: string;
  /** Different for every account, so that a wrong row shows. */
  readonly balance: Decimal;
  /** The balance as the database writes it. */
  readonly balanceText: string;

  constructor(place: Pick<BenchAccount, 'tenantId' | 'userId' | 'bucket' | 'id'>, number: number) {
    this.tenantId = place.tenantId;
    this.userId = place.userId;
    this.bucket = place.bucket;
    this.id = place.id;
    this.accountNumber = `BENCH-${number}`;
    this.balance = new Decimal(OPENING_BALANCE + number);
    this.balanceText = this.balance.toFixed(MONEY_SCALE);
  }

  /** Whether a row is this account: its id, and its balance as whichever type the subject gives. */
  isThis(row: { readonly id: string; readonly balance: Decimal | string } | null | undefined): boolean {
    if (row?.id !== this.id) return false;
    return typeof row.balance === 'string'
      ? row.balance === this.balanceText
      : isSame(this.balance, row.balance);
  }
}

/** Without the third Decimal that comparing two makes: checking is not what is measured. */
function isSame(one: Decimal, other: Decimal): boolean {
  return (
    one.s === other.s &&
    one.e === other.e &&
    one.d.length === other.d.length &&
    one.d.every((digits, index) => digits === other.d[index])
  );
}

/** Enough for many transfers to come, before the account's number is added. */
const OPENING_BALANCE = 1_000_000;
