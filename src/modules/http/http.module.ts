import { Module } from '@nestjs/common';
import { APP_FILTER, APP_GUARD, APP_INTERCEPTOR, APP_PIPE } from '@nestjs/core';
import { TenantsModule } from '../tenants/tenants.module.js';
import { AccessGuard } from './access.guard.js';
import { ProblemFilter } from './problem.filter.js';
import { QueryGuard } from './query.guard.js';
import { SchemaPipe } from './schema.pipe.js';
import { ScopeInterceptor } from './scope.interceptor.js';

/** What every route goes through: key, scope, schemas, and one way to answer errors. */
@Module({
  imports: [TenantsModule],
  providers: [
    { provide: APP_GUARD, useClass: AccessGuard },
    // After the key: who has none hears of nothing else.
    { provide: APP_GUARD, useClass: QueryGuard },
    { provide: APP_INTERCEPTOR, useClass: ScopeInterceptor },
    { provide: APP_PIPE, useClass: SchemaPipe },
    { provide: APP_FILTER, useClass: ProblemFilter },
  ],
})
export class HttpModule {}
