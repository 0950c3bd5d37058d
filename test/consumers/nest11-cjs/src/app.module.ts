import { Module } from '@nestjs/common';
import { DataGatewayModule } from 'shardgate';
import { CustomersModule } from './customers.module';
import { gatewayOptions } from './gateway-options';

@Module({ imports: [DataGatewayModule.forRoot(gatewayOptions()), CustomersModule] })
export class AppModule {}
