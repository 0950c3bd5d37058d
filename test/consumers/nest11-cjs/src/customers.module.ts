import { Module } from '@nestjs/common';
import { DataGatewayModule } from 'shardgate';
import { Customer } from './customer.entity';
import { CustomersService } from './customers.service';
import { Order } from './order.entity';

@Module({
  imports: [DataGatewayModule.forFeature([Customer, Order])],
  providers: [CustomersService],
  exports: [CustomersService],
})
export class CustomersModule {}
