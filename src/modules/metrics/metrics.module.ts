import { Module } from '@nestjs/common';
import { MetricsController } from './metrics.controller.js';
import { RequestDurations } from './request-durations.js';
import { ServiceMetrics } from './service-metrics.js';

/** What this process tells Prometheus. */
@Module({ controllers: [MetricsController], providers: [ServiceMetrics, RequestDurations] })
export class MetricsModule {}
