import { Injectable, type OnModuleInit } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import type { FastifyInstance } from 'fastify';
import { Histogram } from 'prom-client';
import { ServiceMetrics } from './service-metrics.js';

/** From a hit of the cache to a request that waited for everything, in seconds. */
const BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** What came to no route counts as one method and one route: what clients make up must not make metrics. */
const NO_ROUTE = { method: 'unknown', route: 'unknown' };

/** How long requests take, from when they came until they are answered. */
@Injectable()
export class RequestDurations implements OnModuleInit {
  readonly #adapterHost: HttpAdapterHost;
  readonly #durations: Histogram<'method' | 'route' | 'status_class'>;

  constructor(adapterHost: HttpAdapterHost, { registry }: ServiceMetrics) {
    this.#adapterHost = adapterHost;
    this.#durations = new Histogram({
      name: 'shardgate_http_request_duration_seconds',
      help: "How long HTTP requests took to answer, by method, the route's pattern, and status class.",
      labelNames: ['method', 'route', 'status_class'],
      buckets: BUCKETS,
      registers: [registry],
    });
  }

  /** Routes have hooks from when Fastify is ready, which is later. */
  onModuleInit(): void {
    const fastify = this.#adapterHost.httpAdapter.getInstance<FastifyInstance>();
    fastify.addHook('onResponse', (request, reply, done) => {
      const { url: route } = request.routeOptions;
      this.#durations.observe(
        {
          ...(route === undefined ? NO_ROUTE : { method: request.method, route }),
          status_class: `${Math.floor(reply.statusCode / 100)}xx`,
        },
        reply.elapsedTime / 1_000,
      );
      done();
    });
  }
}
