import { Inject, Injectable } from '@nestjs/common';
import { GatewayRuntime } from '../../gateway/gateway-runtime.js';
import { CACHE_LIMITS, type CacheLimits } from './cache-limits.js';
import { cacheView, NO_CACHE, type CacheView } from './cache-view.js';

/** The cache of this process, for who runs it; other processes have theirs. */
@Injectable()
export class CacheState {
  readonly #cache: GatewayRuntime['cache']['cache'];
  readonly #limits: CacheLimits;

  constructor(runtime: GatewayRuntime, @Inject(CACHE_LIMITS) limits: CacheLimits) {
    this.#cache = runtime.cache.cache;
    this.#limits = limits;
  }

  /** What it holds and did, of one tenant or of all. */
  view(tenantId: string | undefined): CacheView {
    if (this.#cache === undefined || this.#limits === false) return NO_CACHE;
    const { maxBytes, tenantShare } = this.#limits;
    const limit = tenantId === undefined ? maxBytes : Math.floor(maxBytes * tenantShare);
    return cacheView(this.#cache.report(tenantId), limit);
  }

  /** Empties it, of one tenant's answers or of all. @returns how many there were */
  clear(tenantId: string | undefined): number {
    return this.#cache?.clear(tenantId) ?? 0;
  }
}
