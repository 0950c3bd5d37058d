/**
 * How the ledger's tables are protected on every shard. The gateway's login may delete neither accounts nor
 * entries: what was booked stays booked.
 */
export const FINANCE_TABLES = [
  { schema: 'finance', table: 'accounts', grants: ['SELECT', 'INSERT', 'UPDATE'] },
  { schema: 'finance', table: 'transactions', grants: ['SELECT', 'INSERT', 'UPDATE'] },
] as const;
