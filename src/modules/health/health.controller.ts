import { Controller, Get, Res } from '@nestjs/common';
import { ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import { settledWithin } from '../../common/settled-within.js';
import { GatewayRuntime } from '../../gateway/gateway-runtime.js';
import { PublicRoute } from '../http/route-decorators.js';
import { ShardStates } from '../shards/shard-states.js';
import { judgeReadiness, type CatalogHealth, type Readiness } from './readiness.js';

/** A probe must not wait as long as a request may. */
const CATALOG_TIMEOUT_MS = 2_000;

const liveSchema = z.object({ status: z.literal('ok') });
const readinessSchema = z.object({
  status: z.enum(['ok', 'degraded', 'unavailable']),
  catalog: z.object({
    state: z.enum(['up', 'down']),
    reason: z.string().optional().meta({ description: 'Why the gateway has not started with it yet' }),
  }),
  shards: z.array(
    z.object({
      id: z.string(),
      state: z.enum(['up', 'degraded', 'down']),
      reason: z.string().optional(),
    }),
  ),
});

/** What load balancers and supervisors ask; needs no key. */
@ApiTags('Health')
@PublicRoute()
@Controller('health')
export class HealthController {
  readonly #runtime: GatewayRuntime;
  readonly #states: ShardStates;

  constructor(runtime: GatewayRuntime, states: ShardStates) {
    this.#runtime = runtime;
    this.#states = states;
  }

  @Get('live')
  @ApiOperation({ summary: 'Whether the process runs' })
  @ApiResponse({ status: 200, description: 'It does', standardSchema: liveSchema })
  live(): { status: 'ok' } {
    return { status: 'ok' };
  }

  @Get('ready')
  @ApiOperation({
    summary: 'Whether the process can serve',
    description: 'One shard away is `degraded`; the catalog or all shards away is 503.',
  })
  @ApiResponse({
    status: 200,
    description: 'It serves, in whole or in part',
    standardSchema: readinessSchema,
  })
  @ApiResponse({ status: 503, description: 'It cannot serve', standardSchema: readinessSchema })
  async ready(@Res({ passthrough: true }) reply: FastifyReply): Promise<Readiness> {
    const readiness = judgeReadiness(await this.#catalog(), this.#states.health());
    void reply.status(readiness.status === 'unavailable' ? 503 : 200).header('cache-control', 'no-store');
    return readiness;
  }

  async #catalog(): Promise<CatalogHealth> {
    const reason = this.#runtime.notStartedBecause;
    if (reason !== undefined) return { state: 'down', reason };
    const isUp = this.#runtime.catalog.query('select 1').then(
      () => true,
      () => false,
    );
    const inTime = await settledWithin(isUp, CATALOG_TIMEOUT_MS);
    return { state: inTime && (await isUp) ? 'up' : 'down' };
  }
}
