import { Controller, Get, Header } from '@nestjs/common';
import { ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import { Registry } from 'prom-client';
import { PublicRoute } from '../http/route-decorators.js';
import { ServiceMetrics } from './service-metrics.js';

/** What Prometheus scrapes; needs no key, and names no tenant. */
@ApiTags('Metrics')
@PublicRoute()
@Controller('metrics')
export class MetricsController {
  readonly #metrics: ServiceMetrics;

  constructor(metrics: ServiceMetrics) {
    this.#metrics = metrics;
  }

  @Get()
  @Header('content-type', Registry.PROMETHEUS_CONTENT_TYPE)
  @Header('cache-control', 'no-store')
  @ApiOperation({
    summary: 'Metrics of this process',
    description: "In Prometheus' text format 0.0.4. No metric has a label with a tenant or a user.",
  })
  @ApiResponse({
    status: 200,
    description: 'All metrics',
    content: { 'text/plain': { schema: { type: 'string' } } },
  })
  show(): Promise<string> {
    return this.#metrics.registry.metrics();
  }
}
