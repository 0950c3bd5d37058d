import { describe, expect, it } from '@jest/globals';
import { asksPastCache } from '../../src/modules/http/cache-control.js';
import { readScopeHeaders } from '../../src/modules/http/scope-headers.js';

describe('the Cache-Control of a request', () => {
  it.each([
    'no-cache',
    'no-store',
    'max-age=0',
    'NO-CACHE',
    'No-Store',
    'MAX-AGE=0',
    'max-age=000',
    'max-age="0"',
    'no-transform, no-cache',
    'no-cache,no-transform',
    '\tno-transform ,\t no-store ',
    ', ,,no-cache,',
    'community="UCI", no-cache',
    'quoted="a, \\" b", max-age=0',
    'max-age=60, max-age=0',
    'max-age=-1, no-cache',
    'no cache, no-store',
    '=, "no", no-cache',
    'no-cache="x-user-id"',
  ])('asks to go past the cache: %s', (header) => {
    expect(asksPastCache(header)).toBe(true);
  });

  it.each([
    undefined,
    '',
    ',',
    'max-age=60',
    'max-age=10, min-fresh=0',
    'max-stale=0',
    'no-transform, only-if-cached',
    'public, s-maxage=0',
    'max-age',
    'max-age=',
    'max-age=-0',
    'max-age=0.0',
    'max-age=+0',
    'max-age=0s',
    'max-age =0',
    'no-cache2',
    'xno-cache',
    'no-cache=',
    'no-cache;',
    'no cache',
    '"no-cache"',
    'x="no-cache"',
    'x="a, no-cache, b"',
    'x="\\", no-cache',
    'x="no-store, no-cache',
    "max-age='0'",
    '\u00ffno-cache',
    'no-cach\u00e9',
    'constructor, __proto__',
  ])('lets the cache answer, and is no fault: %s', (header) => {
    expect(asksPastCache(header)).toBe(false);
  });

  it('is read from several headers as from one', () => {
    expect(readScopeHeaders({ 'cache-control': ['no-transform', 'no-cache'] }, false).goesPastCache).toBe(
      true,
    );
    expect(readScopeHeaders({ 'cache-control': ['no-transform', 'max-age=1'] }, false).goesPastCache).toBe(
      false,
    );
    expect(readScopeHeaders({}, false).goesPastCache).toBe(false);
  });

  it('is read in a time that grows with its length only', () => {
    const parts = ['"', '\\', ',', '=', '""', 'a="', ' ', '"\\'];
    for (const part of parts) expect(asksPastCache(part.repeat(200_000))).toBe(false);
  });
});
