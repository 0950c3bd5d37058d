import type { AccountView } from '../../modules/accounts/account-view.js';
import type { DemoClient } from './demo-client.js';
import type { DemoSite } from './demo-site.js';
import type { Narrator } from './narrator.js';

/** What the parts of the walk share. */
export interface DemoScene {
  readonly site: DemoSite;
  readonly client: DemoClient;
  readonly narrator: Narrator;
}

/** The tenant of the demo, and its customers' accounts. */
export interface DemoBank {
  readonly tenantId: string;
  readonly key: string;
  /** In the order of the customers' numbers. */
  readonly accounts: readonly AccountView[];
  /** Customer to shard. */
  readonly shardOf: ReadonlyMap<string, string>;
}

/** The first account whose owner lives on this shard. @throws Error when nobody lives there */
export function accountOn({ accounts, shardOf }: DemoBank, shardId: string): AccountView {
  const account = accounts.find(({ userId }) => shardOf.get(userId) === shardId);
  if (account === undefined) throw new Error(`No customer lives on ${shardId}.`);
  return account;
}
