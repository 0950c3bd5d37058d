import { readFileSync } from 'node:fs';
import { Injectable } from '@nestjs/common';
import type { DataGatewayModuleOptions, DataGatewayOptionsFactory, GatewayServerOptions } from 'shardgate';
import { CreateShop1764000001000 } from './create-shop.migration';
import { Customer } from './customer.entity';
import { Order } from './order.entity';

/** The servers, from the JSON file that `SHARDGATE_CONFIG` names, and what this application keeps on them. */
export function gatewayOptions(): DataGatewayModuleOptions {
  const path = process.env['SHARDGATE_CONFIG'];
  if (path === undefined) throw new Error('Set SHARDGATE_CONFIG to the file that names your servers.');
  const servers = JSON.parse(readFileSync(path, 'utf8')) as GatewayServerOptions;
  return { ...servers, entities: [Customer, Order], migrations: [CreateShop1764000001000] };
}

/** The same for `forRootAsync`. */
@Injectable()
export class GatewayOptionsFactory implements DataGatewayOptionsFactory {
  createDataGatewayOptions(): Promise<DataGatewayModuleOptions> {
    return Promise.resolve(gatewayOptions());
  }
}
