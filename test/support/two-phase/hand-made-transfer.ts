import type { ClusterConfig } from '../../../src/sharding/cluster/cluster-config.js';
import { mintGid } from '../../../src/sharding/transactions/gid.js';
import { sqlStateOf } from '../../../src/sharding/connections/failure.js';
import { TestConnection } from '../scratch-shards.js';

/** SQLSTATE of finishing a prepared transaction that is not there. */
const IS_FINISHED = '42704';

const MOVE_SQL = `
  UPDATE finance.accounts SET balance = balance + $3::numeric, version = version + 1
  WHERE tenant_id = $1 AND id = $2 RETURNING id`;

/** From an account of `s0` to one of `s1`. */
export interface HandMade {
  readonly tenantId: string;
  readonly from: string;
  readonly to: string;
  readonly amount: string;
}

/**
 * The money of a transfer from `s0` to `s1`, step by step as a coordinator commits it, so that a test can stop
 * between any two. It writes balances alone: the accounts' entries do not say so.
 */
export class HandMadeTransfer {
  readonly gid: string;
  readonly #first: TestConnection;
  readonly #second: TestConnection;

  private constructor(gid: string, first: TestConnection, second: TestConnection) {
    this.gid = gid;
    this.#first = first;
    this.#second = second;
  }

  /** Executes both legs, on the gateway's own login: only it can finish what it prepared. */
  static async begin({ shards }: ClusterConfig, transfer: HandMade): Promise<HandMadeTransfer> {
    const [first, second] = await Promise.all([open(shards, 's0'), open(shards, 's1')]);
    const [installation] = await first.query<{ id: string }>(
      'SELECT installation_id AS id FROM shardgate.installation',
    );
    const gid = mintGid({ installationId: installation?.id ?? '', firstShardId: 's0' });
    await move(first, transfer, transfer.from, `-${transfer.amount}`);
    await move(second, transfer, transfer.to, transfer.amount);
    return new HandMadeTransfer(gid, first, second);
  }

  /** The first participant's record, in its own transaction. */
  async record(): Promise<void> {
    await this.#first.query(`INSERT INTO shardgate.commit_records (gid, decision) VALUES ($1, 'commit')`, [
      this.gid,
    ]);
  }

  async prepare(): Promise<void> {
    await this.#second.query(`PREPARE TRANSACTION '${this.gid}'`);
  }

  /** Commits on the first participant. */
  async decide(): Promise<void> {
    await this.#first.query('COMMIT');
  }

  /** Commits on the second, unless recovery has. */
  async finish(): Promise<void> {
    await this.#finish('COMMIT');
  }

  /** Undoes what is not decided. */
  async undo(): Promise<void> {
    await this.#first.query('ROLLBACK');
    await this.#finish('ROLLBACK');
  }

  async #finish(how: 'COMMIT' | 'ROLLBACK'): Promise<void> {
    await this.#second.query(`${how} PREPARED '${this.gid}'`).catch((error: unknown) => {
      if (sqlStateOf(error) !== IS_FINISHED) throw error;
    });
  }
}

function open(shards: ClusterConfig['shards'], shardId: string): Promise<TestConnection> {
  return TestConnection.open(shards.find(({ id }) => id === shardId)?.primary.url ?? '');
}

/** Begins, and moves the amount. */
async function move(
  connection: TestConnection,
  { tenantId }: HandMade,
  accountId: string,
  amount: string,
): Promise<void> {
  await connection.query('BEGIN');
  await connection.query(`SELECT set_config('shardgate.tenant_id', $1, true)`, [tenantId]);
  const moved = await connection.query(MOVE_SQL, [tenantId, accountId, amount]);
  if (moved.length !== 1) throw new Error('The account is not on this shard.');
}
