import { Controller, Get, Query } from '@nestjs/common';
import { ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { z } from 'zod';
import { NotFoundError } from '../../common/gateway-error.js';
import { DataGateway } from '../../gateway/data-gateway.js';
import { ApiProblems, OperatorRoute } from '../http/route-decorators.js';
import { TenantDirectory } from '../tenants/tenant-directory.js';
import { TenantStore } from '../tenants/tenant-store.js';
import { routeQuerySchema, routeSchema, shardListSchema } from './shard-schemas.js';
import { ShardStates, type ShardView } from './shard-states.js';

/** What the operator can ask about shards. */
@ApiTags('Administration')
@OperatorRoute()
@Controller('v1/admin')
export class ShardsController {
  readonly #states: ShardStates;
  readonly #gateway: DataGateway;
  readonly #directory: TenantDirectory;
  readonly #tenants: TenantStore;

  constructor(states: ShardStates, gateway: DataGateway, directory: TenantDirectory, tenants: TenantStore) {
    this.#states = states;
    this.#gateway = gateway;
    this.#directory = directory;
    this.#tenants = tenants;
  }

  @Get('shards')
  @ApiOperation({ summary: 'List the shards', description: 'As this process sees them.' })
  @ApiResponse({ status: 200, description: 'All shards', standardSchema: shardListSchema })
  shards(): { items: ShardView[]; nextCursor: null } {
    return { items: this.#states.list(), nextCursor: null };
  }

  @Get('route')
  @ApiOperation({ summary: 'Where a user lives' })
  @ApiResponse({ status: 200, description: 'The bucket and its shard', standardSchema: routeSchema })
  @ApiProblems('not_found')
  async route(
    @Query({ schema: routeQuerySchema }) { tenantId, userId }: z.output<typeof routeQuerySchema>,
  ): Promise<{ bucket: number; shardId: string }> {
    const tenant = this.#directory.tenant(tenantId) ?? (await this.#tenants.get(tenantId));
    if (tenant === undefined) throw new NotFoundError(`The tenant ${tenantId}`);
    return this.#gateway.route({ tenantId, userId });
  }
}
