import {
  Module,
  type DynamicModule,
  type InjectionToken,
  type ModuleMetadata,
  type OnApplicationShutdown,
  type OptionalFactoryDependency,
  type Provider,
  type Type,
} from '@nestjs/common';
import { getDataSourceToken } from '@nestjs/typeorm';
import { SILENT_LOG, type Log } from './common/log.js';
import { DataGateway } from './gateway/data-gateway.js';
import { resolveGatewayOptions, type GatewayOptions } from './gateway/gateway-options.js';
import { GatewayRuntime } from './gateway/gateway-runtime.js';
import { GatewayMetrics } from './gateway/metrics/gateway-metrics.js';
import { getShardedRepositoryToken } from './gateway/inject-sharded-repository.js';
import type { ShardedEntityClass } from './gateway/sharded-entity-class.js';

/** What a host gives beside the gateway's own options. */
export interface DataGatewayModuleOptions extends GatewayOptions {
  /** Where the gateway logs to; pino fits. Default: nowhere. */
  readonly log?: Log;
}

/** Makes the options when they are needed; a class for `useClass` and `useExisting`. */
export interface DataGatewayOptionsFactory {
  createDataGatewayOptions(): DataGatewayModuleOptions | Promise<DataGatewayModuleOptions>;
}

/** Options that other providers give: exactly one of `useFactory`, `useClass` and `useExisting`. */
export interface DataGatewayModuleAsyncOptions extends Pick<ModuleMetadata, 'imports'> {
  readonly useFactory?: (
    ...dependencies: never[]
  ) => DataGatewayModuleOptions | Promise<DataGatewayModuleOptions>;
  readonly inject?: (InjectionToken | OptionalFactoryDependency)[];
  readonly useClass?: Type<DataGatewayOptionsFactory>;
  readonly useExisting?: Type<DataGatewayOptionsFactory>;
  /** Shards whose primaries `@InjectDataSource(id)` is used for: tokens must be known before the options are. */
  readonly shardIds?: readonly string[];
}

const OPTIONS = Symbol('DataGatewayModuleOptions');

/** Holds the running gateway; ends it when the application ends. */
class RuntimeHolder implements OnApplicationShutdown {
  readonly runtime: GatewayRuntime;

  constructor(runtime: GatewayRuntime) {
    this.runtime = runtime;
  }

  async onApplicationShutdown(): Promise<void> {
    await this.runtime.close();
  }
}

/**
 * The gateway as a NestJS module. Import it once with `forRoot` or `forRootAsync`, and `forFeature` in each
 * module that uses repositories. The application must call `enableShutdownHooks()` or `close()`, so that
 * connections are closed.
 *
 * @example
 * ```ts
 * @Module({
 *   imports: [
 *     DataGatewayModule.forRoot({ catalog, shards, entities: [Invoice], migrations: [CreateInvoices] }),
 *     DataGatewayModule.forFeature([Invoice]),
 *   ],
 * })
 * export class BillingModule {}
 * ```
 */
@Module({})
export class DataGatewayModule {
  /** With options at hand. They are validated at once: an error names the option and the fix. */
  static forRoot(options: DataGatewayModuleOptions): DynamicModule {
    const { shards } = resolveGatewayOptions(withoutLog(options));
    return moduleOf(
      [{ provide: OPTIONS, useValue: options }],
      shards.map(({ id }) => id),
    );
  }

  /** With options that other providers make. */
  static forRootAsync(options: DataGatewayModuleAsyncOptions): DynamicModule {
    return {
      ...moduleOf(asyncOptionsProviders(options), options.shardIds ?? []),
      imports: options.imports ?? [],
    };
  }

  /** Makes the repositories of these entities injectable with `@InjectShardedRepository`. */
  static forFeature(entities: readonly ShardedEntityClass[]): DynamicModule {
    const providers = entities.map((entity): Provider => ({
      provide: getShardedRepositoryToken(entity),
      useFactory: (gateway: DataGateway) => gateway.repository(entity),
      inject: [DataGateway],
    }));
    return { module: DataGatewayModule, providers, exports: providers };
  }
}

function moduleOf(optionsProviders: Provider[], shardIds: readonly string[]): DynamicModule {
  const exported: Provider[] = [
    {
      provide: GatewayRuntime,
      useFactory: ({ runtime }: RuntimeHolder) => runtime,
      inject: [RuntimeHolder],
    },
    {
      provide: DataGateway,
      useFactory: ({ runtime }: RuntimeHolder) => runtime.gateway,
      inject: [RuntimeHolder],
    },
    {
      provide: GatewayMetrics,
      useFactory: ({ runtime }: RuntimeHolder) => new GatewayMetrics(runtime),
      inject: [RuntimeHolder],
    },
    ...shardIds.map((shardId): Provider => ({
      provide: getDataSourceToken(shardId),
      useFactory: ({ runtime }: RuntimeHolder) => runtime.nodes.primary(shardId).dataSource,
      inject: [RuntimeHolder],
    })),
  ];
  const holder: Provider = {
    provide: RuntimeHolder,
    useFactory: async (options: DataGatewayModuleOptions) => {
      const { log = SILENT_LOG } = options;
      return new RuntimeHolder(
        await GatewayRuntime.start(resolveGatewayOptions(withoutLog(options)), { log }),
      );
    },
    inject: [OPTIONS],
  };
  return {
    global: true,
    module: DataGatewayModule,
    providers: [...optionsProviders, holder, ...exported],
    exports: exported,
  };
}

/** The log is an object of the host's, not an option to validate. */
function withoutLog(options: DataGatewayModuleOptions): GatewayOptions {
  const gatewayOptions: DataGatewayModuleOptions = { ...options };
  delete (gatewayOptions as { log?: Log }).log;
  return gatewayOptions;
}

function asyncOptionsProviders(options: DataGatewayModuleAsyncOptions): Provider[] {
  if (options.useFactory !== undefined) {
    return [{ provide: OPTIONS, useFactory: options.useFactory, inject: options.inject ?? [] }];
  }
  const factory = options.useExisting ?? options.useClass;
  if (factory === undefined) {
    throw new TypeError('forRootAsync needs one of useFactory, useClass and useExisting.');
  }
  return [
    ...(options.useClass === undefined ? [] : [{ provide: options.useClass, useClass: options.useClass }]),
    {
      provide: OPTIONS,
      useFactory: (made: DataGatewayOptionsFactory) => made.createDataGatewayOptions(),
      inject: [factory],
    },
  ];
}
