import { Injectable, Module, type BeforeApplicationShutdown } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataGateway, DataGatewayModule, GatewayContext } from 'shardgate';
import { DataSource } from 'typeorm';
import { Customer } from './customer.entity';
import { CustomersModule } from './customers.module';
import { GatewayOptionsFactory } from './gateway-options';

/** Works with the primary of one shard through TypeORM's own data source, to the very end. */
@Injectable()
export class FirstShard implements BeforeApplicationShutdown {
  /** The customers of this tenant on the shard when the application was told to end. */
  countAtTheEnd = -1;

  constructor(
    @InjectDataSource('s0') readonly dataSource: DataSource,
    private readonly gateway: DataGateway,
  ) {}

  /** The customers of the tenant in scope that live on this shard. */
  count(): Promise<number> {
    return this.dataSource.getRepository(Customer).count();
  }

  /** The gateway is there for what others still have to write when the application ends. */
  async beforeApplicationShutdown(): Promise<void> {
    await GatewayContext.run({ tenantId: 'acme', actor: 'first-shard' }, async () => {
      const [row] = await this.gateway.query<{ customers: number }>(
        'SELECT count(*)::int AS customers FROM shop.customers',
        [],
        { shardId: 's0' },
        { from: 'primary' },
      );
      this.countAtTheEnd = row?.customers ?? 0;
    });
  }
}

@Module({
  imports: [
    DataGatewayModule.forRootAsync({ useClass: GatewayOptionsFactory, shardIds: ['s0'] }),
    CustomersModule,
  ],
  providers: [FirstShard],
})
export class AsyncAppModule {}
