import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { EmbeddedCluster } from '../../../src/sharding/cluster/embedded-cluster.js';
import { eventually } from '../eventually.js';
import { replicaAdminUrl } from '../load/held-replicas.js';
import { runAsAdmin } from '../own-databases.js';

/** The statements that reach the servers of a cluster's shards, as these log them. */
export class StatementLog {
  readonly #files: readonly string[];

  private constructor(files: readonly string[]) {
    this.#files = files;
  }

  /** Has the servers log every statement from now on. */
  static async begin(cluster: EmbeddedCluster): Promise<StatementLog> {
    const nodes = cluster.config.shards.flatMap(({ id, primary, replicas }) => [
      { id, url: primary.adminUrl },
      ...replicas.map((replica) => ({ id: replica.id, url: replicaAdminUrl(cluster, replica.id) })),
    ]);
    const begin = async ({ id, url }: { id: string; url: string }): Promise<string> => {
      await cluster.setConfig(id, { log_statement: 'all' });
      await eventually(`${id} logs statements`, async () => {
        const { rows } = await runAsAdmin(url, `SHOW log_statement`);
        return (rows as { log_statement: string }[])[0]?.log_statement === 'all';
      });
      const { rows } = await runAsAdmin(url, `SHOW data_directory`);
      return join(dirname((rows as { data_directory: string }[])[0]?.data_directory ?? ''), 'server.log');
    };
    return new StatementLog(await Promise.all(nodes.map(begin)));
  }

  /** How many statements that read this table are run meanwhile, on all servers together. */
  async readsDuring(table: string, run: () => Promise<unknown>): Promise<number> {
    const before = await this.#readsOf(table);
    await run();
    return (await this.#readsOf(table)) - before;
  }

  async #readsOf(table: string): Promise<number> {
    const logs = await Promise.all(this.#files.map((file) => readFile(file, 'utf8')));
    const [schema, name] = table.split('.');
    const read = new RegExp(`\\bselect\\b.*\\bfrom\\s+"?${schema}"?\\."?${name}"?`, 'i');
    // A prepared statement is logged each time that it is executed.
    return logs
      .join('\n')
      .split(/^(?=\d{4}-\d\d-\d\d )/m)
      .filter((line) => /LOG: {2}(execute|statement)/.test(line) && read.test(line.replaceAll('\n', ' ')))
      .length;
  }
}
