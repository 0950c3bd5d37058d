/** As much of it as is used here; its own types name the libraries of all its drivers. */
declare module 'bentocache' {
  export class BentoCache {
    constructor(options: { readonly default: string; readonly stores: Readonly<Record<string, unknown>> });
    getOrSet<Value>(call: {
      readonly key: string;
      readonly factory: () => Promise<Value>;
      /** Milliseconds. */
      readonly ttl: number;
    }): Promise<Value>;
    disconnectAll(): Promise<void>;
  }
  export function bentostore(): { useL1Layer(driver: unknown): unknown };
}

declare module 'bentocache/drivers/memory' {
  export function memoryDriver(options: { readonly maxItems: number }): unknown;
}
