import { describe, expect, it } from '@jest/globals';
import type { ConnectionSource, PooledConnection } from '../../src/sharding/connections/connection-pool.js';
import { BudgetedConnections } from '../../src/sharding/replication/budgeted-connections.js';
import { PrimaryReadBudget } from '../../src/sharding/replication/primary-read-budget.js';

/** Lends as many as are wanted, and counts them. */
class Lender implements ConnectionSource {
  lent = 0;
  fails = false;

  acquire(): Promise<PooledConnection> {
    if (this.fails) return Promise.reject(new Error('away'));
    this.lent += 1;
    return Promise.resolve(Object.create(null) as PooledConnection);
  }

  release(): void {
    this.lent -= 1;
  }
}

function budgeted(concurrency: number): { lender: Lender; connections: BudgetedConnections } {
  const lender = new Lender();
  const budget = new PrimaryReadBudget({ concurrency, queueMax: 10, waitMs: 10_000 });
  return { lender, connections: new BudgetedConnections(lender, budget) };
}

describe('connections within a budget', () => {
  it('are lent up to the budget, and further ones as others come back', async () => {
    const { lender, connections } = budgeted(2);
    const [first, second] = [await connections.acquire(), await connections.acquire()];
    const third = connections.acquire();
    expect(lender.lent).toBe(2);
    connections.release(first, false);
    connections.release(await third, false);
    connections.release(second, true);
    expect(lender.lent).toBe(0);
  });

  it('that cannot be had leave their place to the next', async () => {
    const { lender, connections } = budgeted(1);
    lender.fails = true;
    await expect(connections.acquire()).rejects.toThrow('away');
    lender.fails = false;
    connections.release(await connections.acquire(), false);
    expect(lender.lent).toBe(0);
  });
});
