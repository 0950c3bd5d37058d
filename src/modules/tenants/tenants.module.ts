import { Inject, Module, type OnApplicationShutdown } from '@nestjs/common';
import { GatewayRuntime } from '../../gateway/gateway-runtime.js';
import { SERVICE_SETTINGS, type ServiceSettings } from '../service-settings.js';
import { TenantDirectory } from './tenant-directory.js';
import { TenantStore } from './tenant-store.js';
import { TenantsController } from './tenants.controller.js';
import { TenantUsage } from './tenant-usage.js';

/** Tenants and their keys: the directory that every request asks, and their administration. */
@Module({
  controllers: [TenantsController],
  providers: [
    {
      provide: TenantStore,
      useFactory: ({ catalog, shardMaps, nodes }: GatewayRuntime) =>
        new TenantStore(catalog, shardMaps, nodes.shardIds),
      inject: [GatewayRuntime],
    },
    {
      provide: TenantDirectory,
      useFactory: startDirectory,
      inject: [GatewayRuntime, SERVICE_SETTINGS],
    },
    TenantUsage,
  ],
  exports: [TenantDirectory, TenantStore],
})
export class TenantsModule implements OnApplicationShutdown {
  readonly #directory: TenantDirectory;

  constructor(@Inject(TenantDirectory) directory: TenantDirectory) {
    this.#directory = directory;
  }

  onApplicationShutdown(): void {
    this.#directory.stop();
  }
}

/** Started here, so that the first request finds every tenant known, unless the catalog is away. */
async function startDirectory(
  { catalog, shardMapWatcher, cache }: GatewayRuntime,
  { log, operatorKey }: ServiceSettings,
): Promise<TenantDirectory> {
  const directory = new TenantDirectory(catalog, {
    log,
    operatorKey,
    refreshShardMap: () => shardMapWatcher.reload(),
  });
  catalog.onChange('tenants', () => {
    directory.refreshSoon();
  });
  cache.quotaOf = (tenantId) => directory.tenant(tenantId)?.quota.cacheShare;
  await directory.start();
  return directory;
}
