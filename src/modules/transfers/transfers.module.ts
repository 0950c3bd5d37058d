import { Module } from '@nestjs/common';
import { GatewayRuntime } from '../../gateway/gateway-runtime.js';
import { IdMint } from '../../sharding/topology/id-mint.js';
import { TenantsModule } from '../tenants/tenants.module.js';
import { TransferBatches } from './batches/transfer-batches.js';
import { DueTransfers } from './expiry/due-transfers.js';
import { ExpirySweeper } from './expiry/expiry-sweeper.js';
import { TransferLanes } from './lanes/transfer-lanes.js';
import { TransfersController } from './transfers.controller.js';
import { TransfersService } from './transfers.service.js';

/** Transfers between accounts. */
@Module({
  imports: [TenantsModule],
  controllers: [TransfersController],
  providers: [
    { provide: TransferLanes, useFactory: lanesOf, inject: [GatewayRuntime] },
    { provide: DueTransfers, useFactory: () => new DueTransfers() },
    TransfersService,
    ExpirySweeper,
  ],
  exports: [TransfersService],
})
export class TransfersModule {}

function lanesOf({ access, router }: GatewayRuntime): TransferLanes {
  const ids = new IdMint();
  const batches = new TransferBatches(
    access.writes,
    (bucket) => ids.mint(bucket),
    (tenantId, id) => router.forId({ tenantId, id }).shardId,
  );
  return new TransferLanes((place, jobs, mode) => batches.run(place, jobs, mode));
}
