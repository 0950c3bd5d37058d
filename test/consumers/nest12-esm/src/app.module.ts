import { Module } from '@nestjs/common';
import { DataGatewayModule } from 'shardgate';
import { CreateCrm1764000000000 } from './create-crm.js';
import { Customer } from './customer.js';
import { CustomersModule } from './customers.module.js';
import { readServers } from './servers.js';
import { Subscription } from './subscription.js';

@Module({
  imports: [
    DataGatewayModule.forRoot({
      ...readServers(),
      entities: [Customer, Subscription],
      migrations: [CreateCrm1764000000000],
    }),
    CustomersModule,
  ],
})
export class AppModule {}
