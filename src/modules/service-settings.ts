import type { Log } from '../common/log.js';

/** Settings of the HTTP service that are not the gateway's own. */
export interface ServiceSettings {
  readonly log: Log;
  /** The operator's key from the environment; without it, those of the catalog hold. */
  readonly operatorKey?: string | undefined;
}

/** Injection token of {@link ServiceSettings}. */
export const SERVICE_SETTINGS = Symbol('shardgate service settings');
