import { describe, expect, it } from '@jest/globals';
import { Decimal } from 'decimal.js';
import { And, In, LessThan, Not, Raw } from 'typeorm';
import { loginFor } from '../../src/gateway/callers-sql.js';

const raw = Raw((alias) => `${alias} = 1`);

describe('the login of what a repository is given', () => {
  it.each([
    ['a raw condition', { where: { total: raw } }],
    ['a raw condition among alternatives', { where: [{ total: 1 }, { total: raw }] }],
    ['a raw condition within others', { where: { total: Not(And(LessThan(2), raw)) } }],
    ['a raw condition on a relation', { where: { customer: { city: raw } } }],
    ['a function as a value', [{ id: 'x' }, { total: () => 'total + 1' }]],
    ['a function in one of many rows', [{ total: 1 }, { lines: [{ price: () => 'now()' }] }]],
  ])('is the tenant’s for %s', (_, given) => {
    expect(loginFor(given)).toBe('tenant');
  });

  it.each([
    ['nothing', undefined],
    ['plain conditions', { where: { total: new Decimal('1.5'), paid: false, at: new Date(), note: null } }],
    ['operators with values', { where: { total: Not(In([1, 2])) }, order: { id: 'ASC' } }],
    ['bytes', { key: Buffer.from('x') }],
  ])('is the shared one for %s', (_, given) => {
    expect(loginFor(given)).toBe('shared');
  });

  it('is found out for rows that refer to each other', () => {
    const parent: { children: unknown[] } = { children: [] };
    parent.children.push({ parent });
    expect(loginFor(parent)).toBe('shared');
    parent.children.push({ parent, total: () => '1' });
    expect(loginFor(parent)).toBe('tenant');
  });
});
