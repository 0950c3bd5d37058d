import { Body, Controller, Delete, Get, HttpCode, Param, Patch, Post, Query } from '@nestjs/common';
import { ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { z } from 'zod';
import { NotFoundError } from '../../common/gateway-error.js';
import { decodeCursor, encodeCursor } from '../../sharding/scatter-gather/keyset-cursor.js';
import { ApiProblems, OperatorRoute } from '../http/route-decorators.js';
import { tenantIdSchema } from '../http/schemas.js';
import { TenantDirectory } from './tenant-directory.js';
import {
  addedKeySchema,
  createdTenantSchema,
  keyIdSchema,
  newTenantSchema,
  tenantChangeSchema,
  tenantListQuerySchema,
  tenantListSchema,
  tenantSchema,
  tenantWithUsageSchema,
} from './tenant-schemas.js';
import { TenantStore } from './tenant-store.js';
import { TenantUsage, type ShardUsage } from './tenant-usage.js';
import { tenantView, type TenantView } from './tenant-view.js';

const CURSOR_SHAPE = 'tenants by id';

type TenantWithUsage = TenantView & { readonly usage: readonly ShardUsage[] };

/** Administration of tenants and their keys. Every change holds in this process before it is answered. */
@ApiTags('Administration')
@OperatorRoute()
@Controller('v1/admin/tenants')
export class TenantsController {
  readonly #store: TenantStore;
  readonly #directory: TenantDirectory;
  readonly #usage: TenantUsage;

  constructor(store: TenantStore, directory: TenantDirectory, usage: TenantUsage) {
    this.#store = store;
    this.#directory = directory;
    this.#usage = usage;
  }

  @Post()
  @ApiOperation({ summary: 'Create a tenant', description: 'The key in the answer is shown this once.' })
  @ApiResponse({ status: 201, description: 'The tenant and its key', standardSchema: createdTenantSchema })
  @ApiProblems('tenant_exists')
  async create(
    @Body({ schema: newTenantSchema }) wanted: z.output<typeof newTenantSchema>,
  ): Promise<TenantView & { apiKey: string }> {
    const { tenant, apiKey } = await this.#store.create(wanted);
    await this.#directory.refresh();
    return { ...tenantView(tenant), apiKey };
  }

  @Get()
  @ApiOperation({ summary: 'List tenants', description: 'In the order of their ids.' })
  @ApiResponse({ status: 200, description: 'A page of tenants', standardSchema: tenantListSchema })
  async list(
    @Query({ schema: tenantListQuerySchema }) { cursor, limit }: z.output<typeof tenantListQuerySchema>,
  ): Promise<{ items: TenantWithUsage[]; nextCursor: string | null }> {
    const tenants = await this.#store.list({ ...afterOf(cursor), limit });
    const items = await Promise.all(
      tenants.map(async (tenant) => ({ ...tenantView(tenant), usage: await this.#usage.of(tenant.id) })),
    );
    const last = tenants.length === limit ? tenants.at(-1) : undefined;
    return { items, nextCursor: last === undefined ? null : encodeCursor(CURSOR_SHAPE, [last.id]) };
  }

  @Get(':id')
  @ApiOperation({ summary: 'Show a tenant' })
  @ApiResponse({ status: 200, description: 'The tenant', standardSchema: tenantWithUsageSchema })
  @ApiProblems('not_found')
  async show(@Param('id', { schema: tenantIdSchema }) id: string): Promise<TenantWithUsage> {
    const tenant = await this.#store.get(id);
    if (tenant === undefined) throw new NotFoundError(`The tenant ${id}`);
    return { ...tenantView(tenant), usage: await this.#usage.of(id) };
  }

  @Patch(':id')
  @ApiOperation({
    summary: 'Rename, suspend or limit a tenant',
    description: 'A quota replaces the one before. Other processes follow within seconds.',
  })
  @ApiResponse({ status: 200, description: 'The tenant', standardSchema: tenantSchema })
  @ApiProblems('not_found')
  async update(
    @Param('id', { schema: tenantIdSchema }) id: string,
    @Body({ schema: tenantChangeSchema }) change: z.output<typeof tenantChangeSchema>,
  ): Promise<TenantView> {
    const tenant = await this.#store.update(id, change);
    await this.#directory.refresh();
    return tenantView(tenant);
  }

  @Post(':id/api-keys')
  @ApiOperation({ summary: 'Add a key', description: 'Those that exist stay good until they are deleted.' })
  @ApiResponse({ status: 201, description: 'The key, shown this once', standardSchema: addedKeySchema })
  @ApiProblems('not_found')
  async addKey(
    @Param('id', { schema: tenantIdSchema }) id: string,
  ): Promise<{ keyId: string; apiKey: string }> {
    const added = await this.#store.addKey(id);
    await this.#directory.refresh();
    return { keyId: added.keyId, apiKey: added.apiKey };
  }

  @Delete(':id/api-keys/:keyId')
  @HttpCode(204)
  @ApiOperation({ summary: 'Delete a key', description: 'It may be the last one.' })
  @ApiResponse({ status: 204, description: 'The key is no longer good' })
  @ApiProblems('not_found')
  async revokeKey(
    @Param('id', { schema: tenantIdSchema }) id: string,
    @Param('keyId', { schema: keyIdSchema }) keyId: string,
  ): Promise<void> {
    await this.#store.revokeKey(id, keyId);
    await this.#directory.refresh();
  }
}

function afterOf(cursor: string | undefined): { afterId?: string } {
  if (cursor === undefined) return {};
  const [afterId] = decodeCursor(cursor, CURSOR_SHAPE);
  return typeof afterId === 'string' ? { afterId } : {};
}
