import { SILENT_LOG } from '../common/log.js';
import type { ResolvedGatewayOptions } from '../gateway/gateway-options.js';
import { CatalogDatabase } from '../sharding/connections/catalog-database.js';
import { locateServers } from './config-file.js';
import { readEnvironment } from './environment.js';

/** Runs a command on the catalog of the configured servers, and closes its connections afterwards. */
export async function withCatalog<T>(
  run: (catalog: CatalogDatabase, options: ResolvedGatewayOptions) => Promise<T>,
): Promise<T> {
  const options = await locateServers(readEnvironment());
  const catalog = new CatalogDatabase(options.catalog.url, options.pool, SILENT_LOG);
  try {
    return await run(catalog, options);
  } finally {
    await catalog.close();
  }
}
