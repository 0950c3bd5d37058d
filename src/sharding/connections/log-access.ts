import { Client, type ClientConfig } from 'pg';

const CONNECT_MS_MAX = 5_000;

/** Whether a login may follow a server's log, by trying: `undefined` if so, else what the server says. */
export async function refusalToFollow(url: string): Promise<string | undefined> {
  const config: ClientConfig & { replication: 'database' } = {
    connectionString: url,
    application_name: 'shardgate-doctor',
    connectionTimeoutMillis: CONNECT_MS_MAX,
    query_timeout: CONNECT_MS_MAX,
    replication: 'database',
  };
  const client = new Client(config);
  client.on('error', () => undefined);
  try {
    await client.connect();
    await client.query('IDENTIFY_SYSTEM');
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : 'unknown reason';
  } finally {
    await client.end().catch(() => undefined);
  }
}
