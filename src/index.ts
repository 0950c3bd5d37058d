export {
  DataGatewayModule,
  type DataGatewayModuleAsyncOptions,
  type DataGatewayModuleOptions,
  type DataGatewayOptionsFactory,
} from './data-gateway.module.js';
export { ERROR_CODES, type ErrorCode } from './common/error-codes.js';
export { GatewayContext, type GatewayScope } from './common/gateway-context.js';
export {
  CatalogUnavailableError,
  ConfigurationError,
  GatewayError,
  NotFoundError,
  PoolExhaustedError,
  ScopeConflictError,
  ScopeMissingError,
  ShardUnavailableError,
  ValidationError,
  type FieldFault,
} from './common/gateway-error.js';
export type { Log } from './common/log.js';
export type {
  AllShardsFindOptions,
  AllShardsRepository,
  Page,
  PageOptions,
} from './gateway/all-shards-repository.js';
export {
  DataGateway,
  type QueryOptions,
  type QueryTarget,
  type TransactionOptions,
} from './gateway/data-gateway.js';
export type { GatewayOptions, GatewayServerOptions } from './gateway/gateway-options.js';
export type { CrossShardTransaction } from './gateway/cross-shard-transaction.js';
export type { GatewayTransaction } from './gateway/gateway-transaction.js';
export { GatewayMetrics } from './gateway/metrics/gateway-metrics.js';
export { getShardedRepositoryToken, InjectShardedRepository } from './gateway/inject-sharded-repository.js';
export type { ReadOptions } from './gateway/shard-reads.js';
export { ShardedRepository } from './gateway/sharded-repository.js';
export type { SnapshotReader } from './gateway/snapshot-reader.js';
export type { SnapshotOptions } from './gateway/snapshots.js';
export type { RowCriteria } from './gateway/tenant-predicate.js';
export { moneyColumn } from './persistence/money-column.js';
export { Sharded, type ShardedOptions } from './persistence/sharded.js';
export { ShardedEntity } from './persistence/sharded-entity.js';
