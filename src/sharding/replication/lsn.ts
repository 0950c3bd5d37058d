import { ValidationError } from '../../common/gateway-error.js';

const LSN_TEXT = /^([0-9a-f]{1,8})\/([0-9a-f]{1,8})$/i;
const LOW_BITS = 32n;
const LOW_MASK = (1n << LOW_BITS) - 1n;

/**
 * Reads PostgreSQL's `pg_lsn` text, two halves of 32 bits in hexadecimal as in `16/B374D848`, as a byte
 * offset.
 *
 * @throws ValidationError when it is not one
 */
export function parseLsn(text: string): bigint {
  const [, high, low] = LSN_TEXT.exec(text) ?? [];
  if (high === undefined || low === undefined) {
    throw new ValidationError([{ path: 'lsn', message: 'must be a pg_lsn such as 16/B374D848' }]);
  }
  return (BigInt(`0x${high}`) << LOW_BITS) | BigInt(`0x${low}`);
}

/** Writes a byte offset of the write-ahead log as PostgreSQL shows it and takes it. */
export function formatLsn(lsn: bigint): string {
  return `${(lsn >> LOW_BITS).toString(16)}/${(lsn & LOW_MASK).toString(16)}`.toUpperCase();
}
