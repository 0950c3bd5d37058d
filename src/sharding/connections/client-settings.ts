import type { ClientConfig } from 'pg';
import type { PoolOptions } from './pool-options.js';

/** What every connection has that runs statements of tenants, whichever login it uses. */
export function clientSettings({
  statementTimeoutMs,
}: Pick<PoolOptions, 'statementTimeoutMs'>): ClientConfig {
  return {
    application_name: 'shardgate',
    statement_timeout: statementTimeoutMs,
    idle_in_transaction_session_timeout: statementTimeoutMs * 2,
    // A server that hangs never sends its own timeout, so the client gives up somewhat later by itself.
    query_timeout: statementTimeoutMs + 5_000,
    keepAlive: true,
  };
}

/** What statements fail with whose node was given up; told apart as a failure of the connection. */
export function nodeGivenUp(): Error {
  return new Error('Connection terminated because its server does not answer');
}
