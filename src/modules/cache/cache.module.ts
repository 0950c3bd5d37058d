import { Module, type DynamicModule } from '@nestjs/common';
import { TenantsModule } from '../tenants/tenants.module.js';
import { CACHE_LIMITS, type CacheLimits } from './cache-limits.js';
import { CacheState } from './cache-state.js';
import { CacheController } from './cache.controller.js';

/** What operators see and do of the cache of this process. */
@Module({})
export class CacheModule {
  static with(limits: CacheLimits): DynamicModule {
    return {
      module: CacheModule,
      imports: [TenantsModule],
      controllers: [CacheController],
      providers: [{ provide: CACHE_LIMITS, useValue: limits }, CacheState],
    };
  }
}
