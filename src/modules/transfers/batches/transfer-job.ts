import type { RequestTrace } from '../../../common/request-trace.js';
import type { GatewayScope } from '../../../common/gateway-context.js';
import type { Answer } from '../../idempotency/decided-outcome.js';
import type { TransferCommand } from '../decisions/transfer-command.js';
import type { TransferView } from '../transfer-view.js';

/** What a lane answers a request with: its answer, or the account of another shard that it needs as well. */
export type LaneAnswer =
  | { readonly kind: 'answered'; readonly answer: Answer<TransferView> }
  | { readonly kind: 'elsewhere'; readonly accountId: string };

/** A request on its way through a lane, and who waits for it. */
export interface TransferJob {
  readonly command: TransferCommand;
  readonly scope: GatewayScope;
  readonly trace: RequestTrace;
  /** Until when it may be tried, in milliseconds of the process's own clock. */
  readonly deadlineMs: number;
  readonly resolve: (answer: LaneAnswer) => void;
  readonly reject: (error: unknown) => void;
}
