import { Controller, Get, Query } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import type { z } from 'zod';
import { ReadAnswer, TenantRoute } from '../http/route-decorators.js';
import { balancesViewSchema, type BalancesView } from './balances-view.js';
import { balancesQuerySchema } from './report-schemas.js';
import { ReportsService } from './reports.service.js';

/** Reports over HTTP. */
@ApiTags('Reports')
@TenantRoute()
@Controller('v1/reports')
export class ReportsController {
  readonly #reports: ReportsService;

  constructor(reports: ReportsService) {
    this.#reports = reports;
  }

  @Get('balances')
  @ApiOperation({
    summary: 'Sum up all accounts by currency',
    description:
      'Of one consistent cut through all shards, read from their primaries: balance and settlement add up to zero. ' +
      "For the tenant's service, without X-User-Id.",
  })
  @ReadAnswer(balancesViewSchema, 'The sums, by currency')
  balances(
    @Query({ schema: balancesQuerySchema }) query: z.output<typeof balancesQuerySchema>,
  ): Promise<BalancesView> {
    return this.#reports.balances(query);
  }
}
