import type { ConnectionSource, PooledConnection } from '../connections/connection-pool.js';
import type { PrimaryReadBudget } from './primary-read-budget.js';

/**
 * A primary's connections as reads get them: within the budget, from before the connection is lent until it
 * comes back. What is gathered into one statement counts once.
 */
export class BudgetedConnections implements ConnectionSource {
  readonly #source: ConnectionSource;
  readonly #budget: PrimaryReadBudget;
  readonly #endings = new WeakMap<PooledConnection, () => void>();

  constructor(source: ConnectionSource, budget: PrimaryReadBudget) {
    this.#source = source;
    this.#budget = budget;
  }

  acquire(): Promise<PooledConnection> {
    return new Promise((resolve, reject) => {
      const untilReleased = async (): Promise<void> => {
        const connection = await this.#source.acquire();
        await new Promise<void>((end) => {
          this.#endings.set(connection, end);
          resolve(connection);
        });
      };
      this.#budget.run(untilReleased).catch(reject);
    });
  }

  release(connection: PooledConnection, broken: boolean): void {
    this.#source.release(connection, broken);
    this.#endings.get(connection)?.();
    this.#endings.delete(connection);
  }
}
