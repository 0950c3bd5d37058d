import { Module } from '@nestjs/common';
import { TenantsModule } from '../tenants/tenants.module.js';
import { InDoubtController } from './in-doubt.controller.js';
import { ShardStates } from './shard-states.js';
import { ShardsController } from './shards.controller.js';

/** What can be seen of the shards, for operators and health checks. */
@Module({
  imports: [TenantsModule],
  controllers: [ShardsController, InDoubtController],
  providers: [ShardStates],
  exports: [ShardStates],
})
export class ShardsModule {}
