import { Controller, Get } from '@nestjs/common';
import { ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { z } from 'zod';
import { GatewayRuntime } from '../../gateway/gateway-runtime.js';
import { ApiProblems, OperatorRoute } from '../http/route-decorators.js';
import { inDoubtListSchema } from './in-doubt-schemas.js';

/** What the operator can ask about transactions over several shards. */
@ApiTags('Administration')
@OperatorRoute()
@Controller('v1/admin/transactions')
export class InDoubtController {
  readonly #runtime: GatewayRuntime;

  constructor(runtime: GatewayRuntime) {
    this.#runtime = runtime;
  }

  @Get('in-doubt')
  @ApiOperation({
    summary: 'List transactions over several shards that are not finished',
    description:
      'Those that are under way at this moment included; recovery finishes what its process does not.',
  })
  @ApiResponse({ status: 200, description: 'All of them', standardSchema: inDoubtListSchema })
  @ApiProblems('catalog_unavailable')
  async inDoubt(): Promise<z.input<typeof inDoubtListSchema>> {
    const { transactions, missingShards } = await this.#runtime.transactions.recovery.inDoubt();
    const items = transactions.map(({ gid, shardIds, ageMs, decision }) => ({
      gid,
      shards: [...shardIds],
      ageMs: Math.round(ageMs),
      decision: decision ?? null,
    }));
    return { items, nextCursor: null, missingShards: [...missingShards] };
  }
}
