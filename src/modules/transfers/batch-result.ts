import { problemOf, type Problem } from '../http/problem.js';
import type { TransferView } from './transfer-view.js';
import type { TransferOutcome } from './transfers.service.js';

/** What came of one transfer of many, as clients see it. */
export interface BatchResult {
  /** The status that the transfer by itself would have had. */
  readonly status: number;
  readonly transfer?: TransferView;
  readonly problem?: Problem;
}

/** What clients see of an outcome. A remembered refusal is the document of the first time, instance included. */
export function batchResultOf(outcome: TransferOutcome, requestId: string): BatchResult {
  if ('error' in outcome) return resultOfProblem(problemOf(outcome.error, requestId));
  const { outcome: decided, requestId: decidedIn = requestId } = outcome.answer;
  if (decided.kind === 'refused') return resultOfProblem(problemOf(decided.error, decidedIn));
  return { status: decided.status, transfer: decided.body };
}

function resultOfProblem(problem: Problem): BatchResult {
  return { status: problem.status, problem };
}
