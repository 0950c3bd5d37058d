import { GatewayError } from '../../../common/gateway-error.js';
import type { Answer } from '../../idempotency/decided-outcome.js';
import type { TransferCommand } from '../decisions/transfer-command.js';
import type { TransferView } from '../transfer-view.js';

/** An account of another shard. */
export interface DistantAccount {
  readonly shardId: string;
  readonly accountId: string;
}

/**
 * Decides requests whose two accounts are on different shards. Whoever implements it decides with `decideBatch` on
 * what `readBatch` gave on both shards, joined (the later one of the two clocks; it is told of each payee, which a
 * request to post does not name), and writes on each shard with
 * `writeBatch`; the request's key and the transfer are among the writes of its home shard. Both shards keep their
 * part, or none.
 */
export abstract class CrossShardLanes {
  /**
   * Has one request of the scope's tenant decided.
   *
   * @param payee the account that is paid, and where it is: never on the request's home shard
   * @throws GatewayError `two_phase_unavailable`, `overloaded`
   * @throws ShardUnavailableError when a primary is away
   */
  abstract submit(command: TransferCommand, payee: DistantAccount): Promise<Answer<TransferView>>;
}

/** Refuses: there is no commit over two shards yet. */
export class NoCrossShardLanes extends CrossShardLanes {
  submit(): Promise<Answer<TransferView>> {
    return Promise.reject(
      new GatewayError(
        'two_phase_unavailable',
        'The accounts are on two shards, and transfers between shards are not available; choose accounts of one shard.',
      ),
    );
  }
}
