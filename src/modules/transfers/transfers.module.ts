import { Module } from '@nestjs/common';
import { GatewayRuntime } from '../../gateway/gateway-runtime.js';
import { IdMint } from '../../sharding/topology/id-mint.js';
import { TenantsModule } from '../tenants/tenants.module.js';
import { OneShardBatches } from './batches/one-shard-batches.js';
import { DueTransfers } from './expiry/due-transfers.js';
import { ExpirySweeper } from './expiry/expiry-sweeper.js';
import { CrossShardLanes, NoCrossShardLanes } from './lanes/cross-shard-lanes.js';
import { TransferLanes } from './lanes/transfer-lanes.js';
import { TransfersController } from './transfers.controller.js';
import { TransfersService } from './transfers.service.js';

/** Transfers between accounts. */
@Module({
  imports: [TenantsModule],
  controllers: [TransfersController],
  providers: [
    { provide: TransferLanes, useFactory: lanesOf, inject: [GatewayRuntime] },
    { provide: CrossShardLanes, useClass: NoCrossShardLanes },
    { provide: DueTransfers, useFactory: () => new DueTransfers() },
    TransfersService,
    ExpirySweeper,
  ],
  exports: [TransfersService],
})
export class TransfersModule {}

function lanesOf({ access, router }: GatewayRuntime): TransferLanes {
  const ids = new IdMint();
  const batches = new OneShardBatches(
    access,
    (bucket) => ids.mint(bucket),
    ({ shardId, tenantId }, id) => router.forId({ tenantId, id }).shardId === shardId,
  );
  return new TransferLanes((place, jobs, mode) => batches.run(place, jobs, mode));
}
