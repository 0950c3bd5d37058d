import type { ClusterConfig } from '../../../src/sharding/cluster/cluster-config.js';
import type { Operation, OperationRecord, ProcessName } from './records.js';

/** How long the clients of a process go on, and the seed of all chance. */
export interface LoadRequest {
  readonly seed: number;
  readonly forMs: number;
}

/** What a history process is asked; each with a number, by which the answer is known. */
export type ToProcess =
  | { readonly kind: 'start'; readonly name: ProcessName; readonly config: ClusterConfig }
  | { readonly kind: 'make cells' }
  | { readonly kind: 'meet cells'; readonly ids: readonly string[] }
  | { readonly kind: 'perform'; readonly client: string; readonly operation: Operation }
  | ({ readonly kind: 'load' } & LoadRequest)
  | { readonly kind: 'finish' }
  | { readonly kind: 'stop' };

/** What it answers. */
export interface FromProcess {
  readonly call: number;
  readonly failure?: string;
  /** Of the rows that were made. */
  readonly ids?: readonly string[];
  readonly record?: OperationRecord;
  readonly history?: readonly OperationRecord[];
  /** The longest that its event loop was late, ms. */
  readonly delayMs?: number;
}
