import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { courses, coursesWithFloods } from './cache-commands.js';
import { CacheWorld, seen } from './cache-world.js';

const shares = fc.constantFrom(0.01, 0.02, 1);

describe('an answer that comes from the cache or passes it', () => {
  it('shows every write that was known of before it was asked for, and is of its tenant, whatever happens', async () => {
    const property = fc.asyncProperty(shares, courses, (share, commands) =>
      new CacheWorld(share).run(commands),
    );
    await fc.assert(property, {
      numRuns: 1_500,
      interruptAfterTimeLimit: 60_000,
      markInterruptAsFailure: true,
    });
    // A world in which hardly anything is served, joined or refused would say nothing.
    expect(seen.hits / seen.reads).toBeGreaterThan(0.04);
    expect(seen.joins / seen.reads).toBeGreaterThan(0.04);
    expect(seen.refused / seen.reads).toBeGreaterThan(0.05);
    expect(seen.evictions).toBeGreaterThan(100);
  }, 90_000);

  it('does so although more was written than the cache remembers', async () => {
    const property = fc.asyncProperty(coursesWithFloods, (commands) => new CacheWorld(1).run(commands));
    await fc.assert(property, { numRuns: 25, interruptAfterTimeLimit: 60_000, markInterruptAsFailure: true });
  }, 90_000);
});
