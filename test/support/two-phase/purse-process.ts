import type { ClusterConfig } from '../../../src/sharding/cluster/cluster-config.js';
import type { Purse } from './purse.js';
import { PurseGateway } from './purse-world.js';

/** What a process that dies is to do. */
export interface DeathPlan {
  readonly config: Pick<ClusterConfig, 'catalog' | 'shards'>;
  readonly from: Purse;
  readonly to: Purse;
  /** Where it dies, such as `before decide`. */
  readonly at: string;
  /** Places beyond which it does not get. */
  readonly never: readonly string[];
}

/** Moves one unit, and is killed by itself on the way. */
async function main({ config, from, to, at, never }: DeathPlan): Promise<void> {
  const bank = await PurseGateway.start(config, {
    coordinator: {
      onStep: async ({ when, step }) => {
        const place = `${when} ${step}`;
        if (place === at) process.kill(process.pid, 'SIGKILL');
        if (never.includes(place)) await new Promise(() => undefined);
      },
    },
  });
  await bank.move(from, to, 1);
  process.stdout.write('it did not die\n');
}

void main(JSON.parse(process.argv[2] ?? '') as DeathPlan);
