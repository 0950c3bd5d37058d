import { Controller, Get, Res } from '@nestjs/common';
import { ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import { GatewayRuntime } from '../../gateway/gateway-runtime.js';
import { PublicRoute } from '../http/route-decorators.js';
import { ShardStates, type NodeState } from '../shards/shard-states.js';
import { judgeReadiness, type Readiness } from './readiness.js';

/** A probe must not wait as long as a request may. */
const CATALOG_TIMEOUT_MS = 2_000;

const liveSchema = z.object({ status: z.literal('ok') });
const readinessSchema = z.object({
  status: z.enum(['ok', 'degraded', 'unavailable']),
  catalog: z.object({ state: z.enum(['up', 'down']) }),
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
    const readiness = judgeReadiness(await this.#catalogState(), this.#states.list());
    void reply.status(readiness.status === 'unavailable' ? 503 : 200).header('cache-control', 'no-store');
    return readiness;
  }

  async #catalogState(): Promise<NodeState> {
    let timer: NodeJS.Timeout | undefined;
    const tooLate = new Promise<NodeState>((resolve) => {
      timer = setTimeout(resolve, CATALOG_TIMEOUT_MS, 'down');
    });
    const answer = this.#runtime.catalog.query('select 1').then(
      (): NodeState => 'up',
      (): NodeState => 'down',
    );
    try {
      return await Promise.race([answer, tooLate]);
    } finally {
      clearTimeout(timer);
    }
  }
}
