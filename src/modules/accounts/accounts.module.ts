import { Module } from '@nestjs/common';
import { GatewayRuntime } from '../../gateway/gateway-runtime.js';
import { UniqueLookup } from '../../sharding/lookup/unique-lookup.js';
import { TenantsModule } from '../tenants/tenants.module.js';
import { AccountCreation } from './account-creation.js';
import { AccountChanges } from './account-changes.js';
import { AccountsController } from './accounts.controller.js';
import { AccountsService } from './accounts.service.js';
import { LookupSweeper } from './lookup-sweeper.js';

/** Accounts, and their numbers, which are unique within the tenant. */
@Module({
  imports: [TenantsModule],
  controllers: [AccountsController],
  providers: [
    {
      provide: UniqueLookup,
      useFactory: ({ access, router }: GatewayRuntime) => new UniqueLookup(access, router),
      inject: [GatewayRuntime],
    },
    AccountCreation,
    AccountChanges,
    AccountsService,
    LookupSweeper,
  ],
  exports: [AccountsService],
})
export class AccountsModule {}
