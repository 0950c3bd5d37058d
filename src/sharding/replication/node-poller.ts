import type { DatabaseNode } from '../connections/database-node.js';
import { NoAnswerError, NodeProbe } from '../connections/node-probe.js';
import { answerOf, NODE_STATUS_SQL, type NodeAnswer, type NodeStatusRow } from './node-answer.js';
import type { ReplicationOptions } from './replication-options.js';

/** The longest pause before a node that hangs is asked again: it costs a connection each time. */
const HANGING_PAUSE_MAX_MS = 1_000;

/** Who hears what a node answers. */
export interface NodeListener {
  answered(answer: NodeAnswer): void;
  failed(error: unknown): void;
  /** The connection of the poll broke between two polls; the next one is under way. */
  lost(): void;
}

/** Asks one node again and again how far it has come, until it is stopped. */
export class NodePoller {
  readonly #probe: NodeProbe;
  readonly #pollMs: number;
  readonly #listener: NodeListener;
  #timer: NodeJS.Timeout | undefined;
  #isPolling = false;
  /** Somebody wants to know anew: an answer that was under way before proves nothing. */
  #isDoubted = false;
  #isStopped = false;
  #hangs = 0;

  constructor({ url }: DatabaseNode, { pollMs, unresponsiveMs }: ReplicationOptions, listener: NodeListener) {
    this.#pollMs = pollMs;
    this.#listener = listener;
    this.#probe = new NodeProbe(url, unresponsiveMs, () => {
      if (this.#isStopped) return;
      listener.lost();
      this.pollSoon();
    });
  }

  /** Polls once, then goes on in the background. Never rejects. */
  async start(): Promise<void> {
    await this.#poll();
  }

  /** Polls at once, over a new connection, or as soon as the poll under way has ended. */
  pollSoon(): void {
    this.#isDoubted = true;
    if (!this.#isPolling) this.#schedule(0);
  }

  /** Ends the polling and closes the connection. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    await this.#probe.close();
  }

  async #poll(): Promise<void> {
    if (this.#isStopped) return;
    const startedAtMs = performance.now();
    const afresh = this.#isDoubted;
    this.#isDoubted = false;
    this.#isPolling = true;
    const outcome = await this.#ask(afresh);
    this.#isPolling = false;
    if (this.#wasStopped()) return;
    this.#report(outcome);
    this.#schedule(this.#pauseMs(performance.now() - startedAtMs));
  }

  async #ask(afresh: boolean): Promise<{ answer: NodeAnswer } | { error: unknown }> {
    try {
      return { answer: answerOf(await this.#probe.ask<NodeStatusRow>(NODE_STATUS_SQL, afresh)) };
    } catch (error) {
      return { error };
    }
  }

  #report(outcome: { answer: NodeAnswer } | { error: unknown }): void {
    if ('error' in outcome) {
      this.#hangs = outcome.error instanceof NoAnswerError ? this.#hangs + 1 : 0;
      this.#listener.failed(outcome.error);
      return;
    }
    this.#hangs = 0;
    if (!this.#isDoubted) this.#listener.answered(outcome.answer);
  }

  /** A refused connection costs nothing, so that the pace stays; one that hangs does. */
  #pauseMs(tookMs: number): number {
    if (this.#isDoubted) return 0;
    if (this.#hangs > 0) return Math.min(HANGING_PAUSE_MAX_MS, this.#pollMs * 2 ** this.#hangs);
    return Math.max(0, this.#pollMs - tookMs);
  }

  #schedule(pauseMs: number): void {
    clearTimeout(this.#timer);
    if (this.#isStopped) return;
    this.#timer = setTimeout(() => void this.#poll(), pauseMs);
    this.#timer.unref();
  }

  #wasStopped(): boolean {
    return this.#isStopped;
  }
}
