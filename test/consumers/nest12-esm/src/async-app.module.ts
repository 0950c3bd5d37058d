import { Injectable, Module } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataGatewayModule, type DataGatewayModuleOptions, type GatewayServerOptions } from 'shardgate';
import type { DataSource } from 'typeorm';
import { CreateCrm1764000000000 } from './create-crm.js';
import { Customer } from './customer.js';
import { CustomersModule } from './customers.module.js';
import { readServers } from './servers.js';
import { Subscription } from './subscription.js';

const SERVERS = Symbol('servers');

@Module({
  providers: [{ provide: SERVERS, useFactory: readServers }],
  exports: [SERVERS],
})
class ServersModule {}

/** What only TypeORM's own data source can do, on the primary of one shard. */
@Injectable()
export class CrmInspector {
  constructor(@InjectDataSource('s0') private readonly dataSource: DataSource) {}

  /** The customers of the tenant in scope that live on shard s0. */
  countOnFirstShard(): Promise<number> {
    return this.dataSource.getRepository(Customer).count();
  }
}

@Module({
  imports: [
    DataGatewayModule.forRootAsync({
      imports: [ServersModule],
      inject: [SERVERS],
      useFactory: (servers: GatewayServerOptions): DataGatewayModuleOptions => ({
        ...servers,
        entities: [Customer, Subscription],
        migrations: [CreateCrm1764000000000],
      }),
      shardIds: ['s0'],
    }),
    CustomersModule,
  ],
  providers: [CrmInspector],
})
export class AsyncAppModule {}
