import { Module, type DynamicModule } from '@nestjs/common';
import { DataGatewayModule, type DataGatewayModuleOptions } from './data-gateway.module.js';
import { resolveGatewayOptions } from './gateway/gateway-options.js';
import { AccountsModule } from './modules/accounts/accounts.module.js';
import { CacheModule } from './modules/cache/cache.module.js';
import { HealthModule } from './modules/health/health.module.js';
import { HttpModule } from './modules/http/http.module.js';
import { MetricsModule } from './modules/metrics/metrics.module.js';
import { ReportsModule } from './modules/reports/reports.module.js';
import type { ServiceSettings } from './modules/service-settings.js';
import { ServiceSettingsModule } from './modules/service-settings.module.js';
import { ShardsModule } from './modules/shards/shards.module.js';
import { TransactionsModule } from './modules/transactions/transactions.module.js';
import { TransfersModule } from './modules/transfers/transfers.module.js';
import { SERVICE_SCHEMA } from './service-schema.js';

/** The standalone service: the gateway, and its own HTTP API. */
@Module({})
export class AppModule {
  static with(
    gateway: Omit<DataGatewayModuleOptions, 'entities' | 'migrations'>,
    settings: ServiceSettings,
  ): DynamicModule {
    const { catalog, shards, cache } = gateway;
    return {
      module: AppModule,
      imports: [
        ServiceSettingsModule.with(settings),
        DataGatewayModule.forRoot({ ...gateway, ...SERVICE_SCHEMA }),
        HttpModule,
        AccountsModule,
        TransactionsModule,
        TransfersModule,
        ReportsModule,
        ShardsModule,
        CacheModule.with(resolveGatewayOptions({ catalog, shards, cache }).cache),
        HealthModule,
        MetricsModule,
      ],
    };
  }
}
