import cliProgress from 'cli-progress';
import type { MigrationEvent } from '../sharding/migrations/migration-plan.js';

const NAME_WIDTH = 10;

/** Shows how migrations go: bars at a terminal, a line per event elsewhere. */
export class MigrationProgress {
  readonly #bars: cliProgress.MultiBar | undefined;
  readonly #barOf = new Map<string, cliProgress.SingleBar>();
  readonly #failures: string[] = [];

  constructor(shardIds: readonly string[], isTerminal = process.stdout.isTTY) {
    if (!isTerminal) return;
    this.#bars = new cliProgress.MultiBar(
      { format: '{shard} {bar} {value}/{total} {state}', hideCursor: true, clearOnComplete: false },
      cliProgress.Presets.shades_classic,
    );
    for (const shardId of shardIds) {
      const payload = { shard: shardId.padEnd(NAME_WIDTH), state: '' };
      this.#barOf.set(shardId, this.#bars.create(1, 0, payload));
    }
  }

  /** Hears of an event of one shard. */
  readonly show = (event: MigrationEvent): void => {
    const state = stateOf(event);
    const bar = this.#barOf.get(event.shardId);
    if (bar === undefined) {
      console.log(`${event.shardId.padEnd(NAME_WIDTH)} ${state}`);
      return;
    }
    if ('total' in event) bar.setTotal(event.total);
    if (event.type === 'applied') bar.update(event.index, { state });
    else if (event.type === 'up-to-date') bar.update(bar.getTotal(), { state });
    else bar.update({ state });
    if (event.type === 'failed') this.#failures.push(`${event.shardId}: ${state}`);
  };

  /** Leaves the bars as they are; reasons, which a bar cuts off, come after them. */
  end(): void {
    this.#bars?.stop();
    for (const failure of this.#failures) console.log(failure);
  }
}

function stateOf(event: MigrationEvent): string {
  switch (event.type) {
    case 'waiting-for-lock':
      return 'waits for another process that migrates it';
    case 'applying':
      return `applies ${event.name}`;
    case 'applied':
      return `applied ${event.name}`;
    case 'up-to-date':
      return 'is up to date';
    case 'failed':
      return `failed: ${event.error.message}`;
  }
}
