import { everythingPayloads } from '../cache/bus/everything-payloads.js';
import type { Log } from '../common/log.js';
import type { NodeDirectory } from '../sharding/connections/node-directory.js';
import { CommitCoordinator, type CoordinatorOptions } from '../sharding/transactions/commit-coordinator.js';
import { ConsistentCut } from '../sharding/transactions/consistent-cut.js';
import { TransactionRecovery, type RecoveryOptions } from '../sharding/transactions/transaction-recovery.js';
import { busSecretOf } from './bus-secret.js';
import type { ResolvedGatewayOptions } from './gateway-options.js';

/** How they work; for tests. */
export interface ShardTransactionsOptions {
  readonly coordinator?: CoordinatorOptions;
  readonly recovery?: RecoveryOptions;
}

/** What the gateway has to say. */
interface TransactionsSite {
  /** @throws CatalogUnavailableError while it is not known */
  readonly installationId: () => string;
  /** A shard's primary did not answer. */
  readonly onLost: (shardId: string) => void;
  readonly log: Log;
}

/** Transactions over several shards: how they are committed, recovered, and not cut in two by readers. */
export class ShardTransactions {
  readonly coordinator: CommitCoordinator;
  readonly recovery: TransactionRecovery;
  readonly cut: ConsistentCut;

  constructor(
    shards: ResolvedGatewayOptions['shards'],
    nodes: NodeDirectory,
    { installationId, onLost, log }: TransactionsSite,
    options: ShardTransactionsOptions = {},
  ) {
    const primary = (shardId: string) => nodes.primary(shardId);
    this.coordinator = new CommitCoordinator({ primary, installationId, onLost, log }, options.coordinator);
    this.recovery = recoveryOf(shards, installationId, log, options.recovery);
    this.cut = new ConsistentCut({ primaryUrls: primaryUrlsOf(shards), installationId });
  }

  /** Ends all that goes on in the background. */
  stop(): void {
    this.coordinator.stop();
    this.recovery.stop();
  }
}

/** Recovery by itself, as a command needs it. */
export function recoveryOf(
  shards: ResolvedGatewayOptions['shards'],
  installationId: () => string,
  log: Log,
  options?: RecoveryOptions,
): TransactionRecovery {
  const primaryUrls = primaryUrlsOf(shards);
  const noticesOf = (shardId: string): readonly string[] =>
    everythingPayloads(busSecretOf(shardId, primaryUrls.get(shardId) ?? ''));
  return new TransactionRecovery({ primaryUrls, installationId, noticesOf, log }, options);
}

function primaryUrlsOf(shards: ResolvedGatewayOptions['shards']): ReadonlyMap<string, string> {
  return new Map(shards.map(({ id, primary }) => [id, primary.url]));
}
