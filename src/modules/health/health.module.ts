import { Module } from '@nestjs/common';
import { ShardsModule } from '../shards/shards.module.js';
import { HealthController } from './health.controller.js';

/** Liveness and readiness. */
@Module({ imports: [ShardsModule], controllers: [HealthController] })
export class HealthModule {}
