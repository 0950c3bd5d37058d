import { Module } from '@nestjs/common';
import { DataGatewayModule } from 'shardgate';
import { CustomerService } from './customer.service.js';
import { Customer } from './customer.js';
import { Subscription } from './subscription.js';

@Module({
  imports: [DataGatewayModule.forFeature([Customer, Subscription])],
  providers: [CustomerService],
  exports: [CustomerService],
})
export class CustomersModule {}
