import type { ClusterConfig } from '../../../src/sharding/cluster/cluster-config.js';
import type { Mechanism } from './mechanism.js';
import type { CellField, Operation, OperationRecord, ProcessName } from './records.js';

/** Whose cells the clients of a process go to, and the seed of all chance. */
export interface LoadRequest {
  readonly tenantId: string;
  readonly seed: number;
}

/** What a history process is asked; each with a number, by which the answer is known. */
export type ToProcess =
  | { readonly kind: 'start'; readonly name: ProcessName; readonly config: ClusterConfig }
  | { readonly kind: 'make cells'; readonly tenantId: string }
  | ({ readonly kind: 'meet cells' } & CellField)
  | { readonly kind: 'take out'; readonly mechanisms: Readonly<Record<Mechanism, string>> }
  | {
      readonly kind: 'perform';
      readonly tenantId: string;
      readonly client: string;
      readonly operation: Operation;
    }
  | ({ readonly kind: 'load' } & LoadRequest)
  | { readonly kind: 'look'; readonly tenantId: string }
  | { readonly kind: 'finish'; readonly tenantId: string }
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
