import type { EntityManager } from 'typeorm';
import { GatewayContext } from '../../src/common/gateway-context.js';
import { GatewayError, ShardUnavailableError } from '../../src/common/gateway-error.js';
import type { LookupAccess } from '../../src/sharding/lookup/lookup-access.js';
import type { LookupStep } from '../../src/sharding/lookup/lookup-steps.js';
import { UniqueLookup } from '../../src/sharding/lookup/unique-lookup.js';
import type { LookupWorld } from './unique-lookup-fixture.js';

/** The lookup index that all tests use. */
export const LOOKUP_INDEX = 'account_number';

/** Stands for a process's death: whoever sees it is dead itself. */
class ProcessDied extends Error {
  constructor() {
    super('this process died');
  }
}

/** What one test wants of one creation. */
export interface CreateOptions {
  /** Runs inside the row's transaction, after its outcome was recorded. */
  readonly insideTransaction?: (transaction: EntityManager) => Promise<void> | void;
  /** Runs after the commit, still inside `create`. */
  readonly afterCommit?: () => Promise<void> | void;
  /** Runs at the begin of `create`, before there is a transaction. */
  readonly beforeTransaction?: () => Promise<void> | void;
}

/** How a process of a test behaves. */
export interface ProcessOptions {
  readonly graceMs?: number;
  readonly deadlineMs?: number;
  /** The step at which it dies, when it gets there. */
  readonly dieAt?: LookupStep | undefined;
  /** Awaited at each step, before the process dies there. */
  readonly onStep?: (step: LookupStep) => Promise<void> | void;
}

/** One gateway process: it can die, and shards can be away for it alone. */
export class TestProcess {
  readonly lookup: UniqueLookup;
  /** The steps that it took, in order. */
  readonly steps: LookupStep[] = [];
  /** Shards that do not answer this process. */
  readonly away = new Set<string>();
  readonly #world: LookupWorld;
  readonly #access: LookupAccess;
  #dead = false;
  #reads = 0;
  #onRead: (() => void) | undefined;

  constructor(world: LookupWorld, { dieAt, onStep, ...patience }: ProcessOptions) {
    this.#world = world;
    this.#access = {
      read: async (call, run, options) => {
        this.#assertReachable(call.shardId);
        this.#reads += 1;
        this.#onRead?.();
        return world.access.read(call, run, options);
      },
      write: async (call, run) => {
        this.#assertReachable(call.shardId);
        return world.access.write(call, run);
      },
    };
    this.lookup = new UniqueLookup(this.#access, world.router, {
      ...patience,
      onStep: async (step) => {
        this.#assertAlive();
        this.steps.push(step);
        await onStep?.(step);
        if (step !== dieAt) return;
        this.#dead = true;
        throw new ProcessDied();
      },
    });
  }

  /** Resolves when this process has read `count` more times. */
  async untilRead(count: number): Promise<void> {
    const wanted = this.#reads + count;
    await new Promise<void>((resolve) => {
      this.#onRead = () => {
        if (this.#reads >= wanted) resolve();
      };
    });
  }

  /** Creates a row of `userId` with this value. @returns the row's id */
  create(tenantId: string, userId: string, value: string, options: CreateOptions = {}): Promise<string> {
    const { router, mint } = this.#world;
    const { shardId, bucket } = router.forUser({ tenantId, userId });
    return inScope(tenantId, userId, () =>
      this.lookup.createUnique({
        index: LOOKUP_INDEX,
        value,
        userId,
        mintRowId: () => mint.mint(bucket),
        taken: () =>
          new GatewayError('account_number_taken', 'The account number is in use; choose another.'),
        create: async (rowId, recordOutcome) => {
          await options.beforeTransaction?.();
          await this.#access.write({ shardId, userId }, (manager) =>
            manager.transaction(async (transaction) => {
              await this.#world.insertRow(transaction, { tenantId, rowId, userId, bucket, value });
              await recordOutcome(transaction);
              await options.insideTransaction?.(transaction);
            }),
          );
          await options.afterCommit?.();
          return rowId;
        },
      }),
    );
  }

  /** The id of the row that has this value. */
  async find(tenantId: string, value: string, from?: 'replica' | 'primary'): Promise<string | undefined> {
    const found = await inScope(tenantId, undefined, () =>
      this.lookup.find({ index: LOOKUP_INDEX, value }, from === undefined ? {} : { from }),
    );
    return found?.rowId;
  }

  /** Settles every claim of the tenant, however young. */
  sweep(tenantId: string, olderThanMs = 0) {
    return inScope(tenantId, undefined, () => this.lookup.sweep({ olderThanMs, limit: 100 }));
  }

  #assertAlive(): void {
    if (this.#dead) throw new ProcessDied();
  }

  #assertReachable(shardId: string): void {
    this.#assertAlive();
    if (this.away.has(shardId)) throw new ShardUnavailableError(shardId, 'it is away for this test.');
  }
}

/** Why a promise was rejected: the code of a GatewayError, or the message; undefined when it was not. */
export async function refusalOf(promise: Promise<unknown>): Promise<string | undefined> {
  try {
    await promise;
    return undefined;
  } catch (error) {
    if (error instanceof GatewayError) return error.code;
    return error instanceof Error ? error.message : 'unknown';
  }
}

/** Runs something as this tenant and user. */
export function inScope<T>(tenantId: string, userId: string | undefined, run: () => Promise<T>): Promise<T> {
  return GatewayContext.run({ tenantId, userId, actor: 'test' }, run);
}
