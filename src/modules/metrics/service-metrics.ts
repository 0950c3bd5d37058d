import { Injectable } from '@nestjs/common';
import { collectDefaultMetrics, Registry } from 'prom-client';
import { GatewayMetrics } from '../../gateway/metrics/gateway-metrics.js';

/** All metrics of one application; two in a process have each their own. */
@Injectable()
export class ServiceMetrics {
  readonly registry = new Registry();

  constructor(gateway: GatewayMetrics) {
    gateway.register(this.registry);
    collectDefaultMetrics({ register: this.registry });
  }
}
