import { Decimal } from 'decimal.js';
import { DataSource, In } from 'typeorm';
import { Account } from '../../src/modules/accounts/account.js';
import { LedgerTransaction } from '../../src/modules/accounts/ledger/ledger-transaction.js';
import { Transfer } from '../../src/modules/transfers/transfer.js';
import { transferViewOf, type TransferView } from '../../src/modules/transfers/transfer-view.js';
import { IdMint } from '../../src/sharding/topology/id-mint.js';

const ACTOR = 'typeorm';

const FIND_KEY_SQL =
  'SELECT 1 FROM shardgate.idempotency_keys WHERE tenant_id = $1 AND user_id = $2 AND key = $3';

const KEEP_KEY_SQL = `
  INSERT INTO shardgate.idempotency_keys (tenant_id, user_id, key, bucket, operation, request, status, response)
  VALUES ($1, $2, $3, $4, 'transfer', $5::jsonb, 201, $6::jsonb)`;

/** What is to be moved. */
export interface PeerTransfer {
  readonly tenantId: string;
  readonly fromId: string;
  readonly toId: string;
  readonly amount: string;
  readonly key: string;
}

/** A transfer as one writes it by hand with TypeORM: a transaction of its own, the two accounts locked in order. */
export class TypeormTransferPeer {
  readonly #dataSource: DataSource;
  readonly #ids = new IdMint();

  private constructor(dataSource: DataSource) {
    this.#dataSource = dataSource;
  }

  /** @param connections how many its pool may open */
  static async open(url: string, connections: number): Promise<TypeormTransferPeer> {
    const dataSource = new DataSource({
      type: 'postgres',
      url,
      poolSize: connections,
      entities: [Account, LedgerTransaction, Transfer],
      installExtensions: false,
    });
    return new TypeormTransferPeer(await dataSource.initialize());
  }

  /** Who its rows say asked for them. */
  get actor(): string {
    return ACTOR;
  }

  /** @throws Error when it is refused */
  transfer({ tenantId, fromId, toId, amount: amountText, key }: PeerTransfer): Promise<TransferView> {
    return this.#dataSource.transaction(async (manager) => {
      const accounts = await manager.find(Account, {
        where: { tenantId, kind: 'USER', id: In([fromId, toId]) },
        order: { id: 'ASC' },
        lock: { mode: 'for_no_key_update' },
      });
      const [from, to] = [fromId, toId].map((id) => accounts.find((account) => account.id === id));
      const amount = new Decimal(amountText);
      if (from?.status !== 'ACTIVE' || to?.status !== 'ACTIVE' || from.currency !== to.currency) {
        throw new Error('refused');
      }
      if (from.balance.minus(from.held).plus(from.overdraftLimit).lessThan(amount))
        throw new Error('refused');
      const { userId, bucket, currency } = from;
      const earlier = await manager.query<object[]>(FIND_KEY_SQL, [tenantId, userId, key]);
      if (earlier.length > 0) throw new Error('used before');

      const at = new Date(Math.max(Date.now(), from.updatedAt.getTime(), to.updatedAt.getTime()));
      const transfer = {
        ...{ tenantId, id: this.#ids.mint(bucket), userId, bucket, fromAccountId: fromId, toAccountId: toId },
        ...{ debitId: this.#ids.mint(bucket), amount, postedAmount: amount, currency, reference: key },
        ...{ status: 'COMPLETED' as const, actor: ACTOR, createdAt: at, expiresAt: null, completedAt: at },
      };
      const entryOf = (account: Account, id: string, moved: Decimal) => ({
        ...{ tenantId, id, userId: account.userId, bucket: account.bucket, accountId: account.id },
        ...{
          type: 'TRANSFER' as const,
          status: 'COMPLETED' as const,
          amount: moved,
          executedAt: at,
          actor: ACTOR,
        },
        ...{ postingId: transfer.id, transferId: transfer.id, reference: key },
        balanceAfter: account.balance.plus(moved),
        accountVersion: String(BigInt(account.version) + 1n),
      });
      const entries = [
        entryOf(from, transfer.debitId, amount.negated()),
        entryOf(to, this.#ids.mint(to.bucket), amount),
      ];
      for (const { accountId, balanceAfter, accountVersion } of entries) {
        const changed = { balance: balanceAfter, version: accountVersion, updatedAt: at };
        await manager.update(Account, { tenantId, id: accountId }, changed);
      }
      await manager.insert(Transfer, transfer);
      await manager.insert(LedgerTransaction, entries);
      const view = transferViewOf(transfer);
      const request = { fromAccountId: fromId, toAccountId: toId, amount: amountText, reference: key };
      await manager.query(KEEP_KEY_SQL, [
        ...[tenantId, userId, key, bucket],
        JSON.stringify({ ...request, pending: null, timeoutSeconds: null }),
        JSON.stringify({ requestId: null, body: view }),
      ]);
      return view;
    });
  }

  /** Closes its connections. */
  close(): Promise<void> {
    return this.#dataSource.destroy();
  }
}
