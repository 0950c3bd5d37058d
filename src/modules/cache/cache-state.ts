import { Inject, Injectable } from '@nestjs/common';
import { GatewayRuntime } from '../../gateway/gateway-runtime.js';
import { CACHE_LIMITS, type CacheLimits } from './cache-limits.js';
import { cacheView, NO_CACHE, type CacheView } from './cache-view.js';

/** The cache of this process, for who runs it; other processes have theirs. */
@Injectable()
export class CacheState {
  readonly #gatewayCache: GatewayRuntime['cache'];
  readonly #limits: CacheLimits;

  constructor(runtime: GatewayRuntime, @Inject(CACHE_LIMITS) limits: CacheLimits) {
    this.#gatewayCache = runtime.cache;
    this.#limits = limits;
  }

  /** What it holds and did, of one tenant or of all. */
  view(tenantId: string | undefined): CacheView {
    const { cache } = this.#gatewayCache;
    if (cache === undefined || this.#limits === false) return NO_CACHE;
    const { maxBytes, tenantShare } = this.#limits;
    const share = tenantId === undefined ? 1 : (this.#gatewayCache.quotaOf(tenantId) ?? tenantShare);
    return cacheView(cache.report(tenantId), Math.floor(maxBytes * share));
  }

  /** Empties it, of one tenant's answers or of all. @returns how many there were */
  clear(tenantId: string | undefined): number {
    return this.#gatewayCache.cache?.clear(tenantId) ?? 0;
  }
}
