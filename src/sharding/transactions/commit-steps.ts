/** A step of a commit over several shards; see docs/transactions.md. */
export type CommitStep = 'record' | 'prepare' | 'decide' | 'finish';

/** Where a commit is. */
export interface CommitPlace {
  readonly when: 'before' | 'after';
  readonly step: CommitStep;
  /** The participant that takes the step. */
  readonly shardId: string;
  readonly gid: string;
}

/** Called at each step, before it is sent and after it succeeded; for tests that stop a process exactly there. */
export type OnCommitStep = (place: CommitPlace) => Promise<void> | void;

/** Runs a step; without anybody to tell it goes out at once. */
export async function stepped<T>(
  onStep: OnCommitStep | undefined,
  place: Omit<CommitPlace, 'when'>,
  run: () => Promise<T>,
): Promise<T> {
  if (onStep === undefined) return run();
  await onStep({ when: 'before', ...place });
  const result = await run();
  await onStep({ when: 'after', ...place });
  return result;
}
