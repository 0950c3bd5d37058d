import { randomBytes } from 'node:crypto';
import { Socket } from 'node:net';
import type { ClientConfig } from 'pg';
import { LogicalReplicationService, type Pgoutput } from 'pg-logical-replication';
import type { Log } from '../../common/log.js';
import type { LogHistory, ReplicatedChange, ReplicatedRow } from '../../common/replicated-change.js';
import { LogSlot } from './log-slot.js';

const CONNECT_MS_MAX = 2_000;
/** Making a slot waits for all transactions that are writing. */
const START_MS_MAX = 300_000;
/** A stream that is asked for a sign of life several times a second, and gives none for this long, is broken. */
const SILENCE_MS_MAX = 10_000;
const RECONNECT_MS_MIN = 250;
const RECONNECT_MS_MAX = 5_000;

/** Who hears what the log tells. None of these may throw. */
export interface LogStreamHooks {
  /** A stream begins, for the first time or again: what was written before is not told. */
  readonly onStarted: (history: LogHistory) => void;
  /** A row was written, or tables were emptied, by the transaction whose commit is told next. */
  readonly onChange: (change: ReplicatedChange) => void;
  /** That commit. Everything of it lies before `lsn`. */
  readonly onCommit: (xid: number, lsn: bigint) => void;
  /** Everything was told that the log holds up to here. */
  readonly onReached: (lsn: bigint) => void;
  /** The stream is gone. */
  readonly onLost: () => void;
}

/** Where the log comes from. */
export interface LogSource {
  readonly shardId: string;
  /** A login with REPLICATION, on the primary itself: no pooler passes it on. */
  readonly url: string;
  /** The tables that are followed, `schema.table`. */
  readonly tables: readonly string[];
}

/** One connection that streams; its socket is ours to destroy, whatever state the server is in. */
interface OpenStream {
  readonly service: LogicalReplicationService;
  readonly socket: Socket;
  readonly startTimer: NodeJS.Timeout;
  isStarted: boolean;
  /** Of the transaction that is being told. */
  xid: number;
  heardMs: number;
  /** How far it has been read, as the server writes it. */
  lsn: string;
}

/**
 * Streams what is committed on a primary, by a temporary slot of its own. It is made again whenever it breaks,
 * and then begins at that time.
 */
export class LogStream {
  readonly #source: LogSource;
  readonly #hooks: LogStreamHooks;
  readonly #log: Log;
  #open: OpenStream | undefined;
  #timer: NodeJS.Timeout | undefined;
  #reconnectMs = RECONNECT_MS_MIN;
  #isClosed = false;

  constructor(source: LogSource, hooks: LogStreamHooks, log: Log) {
    this.#source = source;
    this.#hooks = hooks;
    this.#log = log;
  }

  /** Begins, and goes on until it is closed. Does nothing if it has begun already. */
  start(): void {
    if (this.#isClosed || this.#open !== undefined || this.#timer !== undefined) return;
    this.#connect();
  }

  /**
   * Tells the server how far its log was read, so that it need not keep that, and asks it for a sign of life. A
   * stream that has long given none is cut. To be called every now and then.
   */
  acknowledge(): void {
    const open = this.#open;
    if (open?.isStarted !== true) return;
    if (performance.now() - open.heardMs > SILENCE_MS_MAX) open.socket.destroy();
    else void open.service.acknowledge(open.lsn, true);
  }

  /** Ends it at once, whatever state the server is in. No hook is called any more. */
  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#open?.socket.destroy();
  }

  #connect(): void {
    this.#timer = undefined;
    const socket = new Socket();
    const service = new LogicalReplicationService(this.#clientOn(socket), {
      acknowledge: { auto: false, timeoutSeconds: 0 },
    });
    const open: OpenStream = {
      service,
      socket,
      startTimer: setTimeout(() => socket.destroy(), START_MS_MAX).unref(),
      isStarted: false,
      xid: 0,
      heardMs: performance.now(),
      lsn: '0/0',
    };
    this.#open = open;
    // However a stream ends, its socket closes: the one place that leads to the next attempt.
    socket.once('close', () => {
      this.#lose(open);
    });
    service.on('error', () => {
      // The socket closes as well, or the subscription fails.
    });
    service.on('data', (_: string, message: Pgoutput.Message) => {
      this.#receive(open, message);
    });
    service.on('heartbeat', (lsn: string, _: number, isAsked: boolean) => {
      this.#receiveKeepalive(open, lsn, isAsked);
    });
    void this.#subscribe(open);
  }

  async #subscribe(open: OpenStream): Promise<void> {
    const slot = new LogSlot({
      tables: this.#source.tables,
      onStarting: (history, lsn) => {
        if (this.#isClosed) return;
        clearTimeout(open.startTimer);
        open.isStarted = true;
        open.heardMs = performance.now();
        open.lsn = lsn;
        this.#reconnectMs = RECONNECT_MS_MIN;
        this.#log.info({ shard: this.#source.shardId }, 'other programs’ writes are heard of');
        this.#hooks.onStarted(history);
      },
      onUnreadable: (error) => {
        this.#warn(error);
        open.socket.destroy();
      },
    });
    try {
      await open.service.subscribe(slot, slotName());
    } catch (error) {
      if (!this.#isClosed) this.#warn(error);
    }
    open.socket.destroy();
  }

  #receive(open: OpenStream, message: Pgoutput.Message): void {
    if (!this.#isListenedTo(open)) return;
    open.heardMs = performance.now();
    if (message.tag === 'begin') open.xid = message.xid >>> 0;
    else if (message.tag === 'commit') this.#receiveCommit(open, message);
    else {
      const change = changeOf(message);
      if (change !== undefined) this.#hooks.onChange(change);
    }
  }

  #receiveCommit(open: OpenStream, { commitEndLsn }: Pgoutput.MessageCommit): void {
    if (commitEndLsn === null) return;
    open.lsn = commitEndLsn;
    this.#hooks.onCommit(open.xid, offsetOf(commitEndLsn));
  }

  #receiveKeepalive(open: OpenStream, lsn: string, isAsked: boolean): void {
    if (!this.#isListenedTo(open)) return;
    open.heardMs = performance.now();
    open.lsn = lsn;
    if (isAsked) void open.service.acknowledge(lsn);
    this.#hooks.onReached(offsetOf(lsn));
  }

  /** What had arrived when its socket was destroyed may still be handed over. */
  #isListenedTo(open: OpenStream): boolean {
    return !this.#isClosed && open === this.#open && !open.socket.destroyed;
  }

  #lose(open: OpenStream): void {
    clearTimeout(open.startTimer);
    if (open !== this.#open) return;
    this.#open = undefined;
    if (this.#isClosed) return;
    this.#timer = setTimeout(() => {
      this.#connect();
    }, this.#reconnectMs).unref();
    this.#reconnectMs = Math.min(this.#reconnectMs * 2, RECONNECT_MS_MAX);
    if (open.isStarted) this.#hooks.onLost();
  }

  #clientOn(socket: Socket): ClientConfig {
    return {
      connectionString: this.#source.url,
      application_name: 'shardgate-log',
      connectionTimeoutMillis: CONNECT_MS_MAX,
      keepAlive: true,
      stream: () => socket,
    };
  }

  #warn(error: unknown): void {
    const reason = error instanceof Error ? error.message : 'unknown';
    this.#log.warn({ shard: this.#source.shardId, reason }, 'other programs’ writes cannot be heard of');
  }
}

/** As good as no other process's, nor that of an earlier stream which the server has not dropped yet. */
function slotName(): string {
  return `shardgate_cache_${randomBytes(8).toString('hex')}`;
}

function changeOf(message: Pgoutput.Message): ReplicatedChange | undefined {
  switch (message.tag) {
    case 'insert':
      return rowsOf(message.relation, [message.new]);
    case 'update':
      return rowsOf(message.relation, [message.old ?? message.key, message.new]);
    case 'delete':
      return rowsOf(message.relation, [message.old ?? message.key]);
    case 'truncate':
      return 'everything';
    default:
      return undefined;
  }
}

type Tuple = Readonly<Record<string, unknown>> | null;

function rowsOf({ schema, name }: Pgoutput.MessageRelation, tuples: readonly Tuple[]): ReplicatedChange {
  const rows = tuples.filter((tuple) => tuple !== null).map(rowOf);
  return { table: `${schema}.${name}`, rows };
}

function rowOf({ tenant_id: tenantId, id }: Readonly<Record<string, unknown>>): ReplicatedRow {
  return {
    tenantId: typeof tenantId === 'string' ? tenantId : undefined,
    id: typeof id === 'string' ? id : undefined,
  };
}

/** Of a place in the log as this protocol's library writes it: two halves of 32 bits, in hexadecimal. */
function offsetOf(lsn: string): bigint {
  const [high = '0', low = '0'] = lsn.split('/');
  return (BigInt(`0x${high}`) << 32n) | BigInt(`0x${low}`);
}
