import { randomBytes } from 'node:crypto';
import { OPERATOR_KEY, type GatewayProcess } from '../gateway-process.js';
import { HttpClient } from '../http-client.js';

/** A tenant with an account of each kind, for hostile requests to aim at. */
interface TargetTenant {
  readonly id: string;
  readonly key: string;
  /** The id of {@link key}. */
  readonly keyId: string;
  readonly userId: string;
  readonly accountId: string;
  readonly accountNumber: string;
  readonly frozenAccountId: string;
  readonly transactionId: string;
  /** Of the same user: what is paid to it stays on one shard. */
  readonly payeeAccountId: string;
  /** Pending, one to be posted and one to be voided. */
  readonly heldTransferIds: readonly [post: string, void: string];
  /** A cursor of its list of accounts, and one of its account's transactions. */
  readonly cursors: readonly string[];
  /** The token of its last write. */
  readonly token: string;
}

/** Who there is: the tenant whose key hostile requests carry, one that they must see nothing of, one suspended. */
export interface HostileWorld {
  readonly operatorKey: string;
  readonly own: TargetTenant;
  readonly other: TargetTenant;
  readonly suspended: TargetTenant;
  /** Texts of the other tenant's that no answer to the first one may hold. */
  readonly canaries: readonly string[];
  /** What no answer and no log may hold. */
  readonly secrets: readonly string[];
}

/** The balance of every account, so that it is known when it is seen. */
export const CANARY_AMOUNT = '73190.4600';

/** Makes them. */
export async function makeWorld(gateway: GatewayProcess): Promise<HostileWorld> {
  const own = await makeTarget(gateway);
  const other = await makeTarget(gateway);
  const suspended = await makeTarget(gateway);
  const operator = new HttpClient(gateway.url, OPERATOR_KEY);
  await operator.patch(`/v1/admin/tenants/${suspended.id}`, { status: 'suspended' });
  // A tenant gets its role on a shard with the first statement that needs it, such as that of its usage.
  await operator.get('/v1/admin/tenants');
  return {
    operatorKey: OPERATOR_KEY,
    own,
    other,
    suspended,
    canaries: [other.userId, other.accountNumber, other.transactionId],
    secrets: [OPERATOR_KEY, own.key, other.key, suspended.key],
  };
}

async function makeTarget(gateway: GatewayProcess): Promise<TargetTenant> {
  const mark = randomBytes(6).toString('hex');
  const id = `t-${mark}`;
  const key = await gateway.createTenant(id);
  const client = new HttpClient(gateway.url, key);
  const userId = `u-${mark}`;
  const accountNumber = `N-${mark}`;
  const create = (number: string): Promise<{ id: string; token: string }> =>
    client
      .post<{ id: string }>(
        '/v1/accounts',
        { accountNumber: number, currency: 'EUR', openingBalance: CANARY_AMOUNT.slice(0, -2) },
        { userId },
      )
      .then(({ body, headers }) => ({ id: body.id, token: headers.get('x-consistency-token') ?? '' }));
  const account = await create(accountNumber);
  const frozen = await create(`F-${mark}`);
  const payee = await create(`P-${mark}`);
  const hold = (): Promise<string> =>
    client
      .post<{ id: string }>('/v1/transfers', {
        fromAccountId: payee.id,
        toAccountId: account.id,
        amount: '1.00',
        pending: true,
      })
      .then(({ body }) => body.id);
  await client.post(`/v1/accounts/${account.id}/deposits`, { amount: '1.00' });
  await client.post(`/v1/accounts/${account.id}/withdrawals`, { amount: '1.00' });
  const heldTransferIds = [await hold(), await hold()] as const;
  const last = await client.patch(`/v1/accounts/${frozen.id}`, { status: 'FROZEN' });
  const token = last.headers.get('x-consistency-token') ?? '';
  const fresh = { token: `${account.token},${token}` };
  const page = (path: string): Promise<{ items: { id: string }[]; nextCursor: string }> =>
    client.get<{ items: { id: string }[]; nextCursor: string }>(path, fresh).then(({ body }) => body);
  const accounts = await page('/v1/accounts?limit=1');
  const entries = await page(`/v1/accounts/${account.id}/transactions?limit=1`);
  return {
    ...{ id, key, userId, accountNumber, token },
    keyId: key.split('_')[1] ?? '',
    accountId: account.id,
    frozenAccountId: frozen.id,
    payeeAccountId: payee.id,
    heldTransferIds,
    transactionId: entries.items[0]?.id ?? '',
    cursors: [accounts.nextCursor, entries.nextCursor],
  };
}
