import { describe, expect, it } from '@jest/globals';
import { ERROR_CODES, type ErrorCode } from '../../src/common/error-codes.js';
import { GatewayError } from '../../src/common/gateway-error.js';
import { fromStored, isDecided, toStored } from '../../src/modules/idempotency/decided-outcome.js';
import { differingField } from '../../src/modules/idempotency/request-difference.js';

const DEPOSIT = { operation: 'deposit', fields: { amount: '1.0000', reference: null } };

describe('two requests of one key', () => {
  it('are the same when operation and every field are', () => {
    const stored = { operation: 'deposit', fields: { reference: null, amount: '1.0000' } };
    expect(differingField(stored, DEPOSIT)).toBeUndefined();
  });

  it.each([
    ['operation', { ...DEPOSIT, operation: 'withdraw' }],
    ['amount', { ...DEPOSIT, fields: { ...DEPOSIT.fields, amount: '2.0000' } }],
    ['reference', { ...DEPOSIT, fields: { ...DEPOSIT.fields, reference: '' } }],
    ['currency', { ...DEPOSIT, fields: { ...DEPOSIT.fields, currency: 'EUR' } }],
  ])('that differ name the field: %s', (field, stored) => {
    expect(differingField(stored, DEPOSIT)).toBe(field);
  });
});

describe('what a key remembers', () => {
  const codes = Object.keys(ERROR_CODES) as ErrorCode[];

  it('is decisions about the request, and never its form, access, quotas or outages', () => {
    const kept = codes.filter((code) => isDecided(new GatewayError(code, 'x')));
    const statuses = new Set(kept.map((code) => ERROR_CODES[code].status));
    expect([...statuses].sort()).toEqual([404, 409, 412, 422]);
    expect(kept).toContain('insufficient_funds');
    expect(isDecided(new Error('x'))).toBe(false);
  });

  it('gives a body back with its fields in their first order, as JSON without one brings it', () => {
    const stored = toStored({ kind: 'done', status: 201, body: { b: '1', a: null } }, 'r1');
    const shuffled = { ...stored, response: { ...stored.response, body: { a: null, b: '1' } } };
    const outcome = fromStored<{ b: string; a: null }>(shuffled, ['b', 'a']);
    expect(JSON.stringify(outcome)).toBe('{"kind":"done","status":201,"body":{"b":"1","a":null}}');
  });

  it('gives a refusal back as the error it was', () => {
    const error = new GatewayError('insufficient_funds', 'Deposit first.');
    const outcome = fromStored(toStored({ kind: 'refused', error }, 'r1'), []);
    expect(outcome).toMatchObject({
      kind: 'refused',
      error: { code: 'insufficient_funds', message: 'Deposit first.', status: 422 },
    });
  });
});
