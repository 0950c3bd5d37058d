import { Controller, Delete, Get, Query } from '@nestjs/common';
import { ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { z } from 'zod';
import { NotFoundError } from '../../common/gateway-error.js';
import { ApiProblems, OperatorRoute } from '../http/route-decorators.js';
import { TenantDirectory } from '../tenants/tenant-directory.js';
import { TenantStore } from '../tenants/tenant-store.js';
import { cacheQuerySchema, cacheViewSchema, clearedCacheSchema } from './cache-schemas.js';
import { CacheState } from './cache-state.js';
import type { CacheView } from './cache-view.js';

type CacheQuery = z.output<typeof cacheQuerySchema>;

/** What the operator can see and do of the cache of the process that answers. */
@ApiTags('Administration')
@OperatorRoute()
@Controller('v1/admin/cache')
export class CacheController {
  readonly #state: CacheState;
  readonly #directory: TenantDirectory;
  readonly #tenants: TenantStore;

  constructor(state: CacheState, directory: TenantDirectory, tenants: TenantStore) {
    this.#state = state;
    this.#directory = directory;
    this.#tenants = tenants;
  }

  @Get()
  @ApiOperation({
    summary: 'Show the cache',
    description: 'Of the process that answers, since it began; every other process has a cache of its own.',
  })
  @ApiResponse({ status: 200, description: 'What it holds and did', standardSchema: cacheViewSchema })
  @ApiProblems('not_found')
  async show(@Query({ schema: cacheQuerySchema }) { tenantId }: CacheQuery): Promise<CacheView> {
    await this.#assertKnown(tenantId);
    return this.#state.view(tenantId);
  }

  @Delete()
  @ApiOperation({
    summary: 'Empty the cache',
    description:
      'Of the process that answers only. What a database was asked for before is not kept either. Counts go on.',
  })
  @ApiResponse({ status: 200, description: 'How much there was', standardSchema: clearedCacheSchema })
  @ApiProblems('not_found')
  async clear(@Query({ schema: cacheQuerySchema }) { tenantId }: CacheQuery): Promise<{ dropped: number }> {
    await this.#assertKnown(tenantId);
    return { dropped: this.#state.clear(tenantId) };
  }

  async #assertKnown(tenantId: string | undefined): Promise<void> {
    if (tenantId === undefined) return;
    const tenant = this.#directory.tenant(tenantId) ?? (await this.#tenants.get(tenantId));
    if (tenant === undefined) throw new NotFoundError(`The tenant ${tenantId}`);
  }
}
