import { Socket } from 'node:net';
import pg from 'pg';
import type { Log } from '../../common/log.js';

/** Each is a notification of its own, in the order of the array. */
const NOTIFY_SQL = 'SELECT pg_notify($1, payload) FROM unnest($2::text[]) AS payload';

/** A server that hangs keeps its connections open: only a question that is not answered shows it. */
const ANSWER_MS_MAX = 2_000;
const RECONNECT_MS_MIN = 250;
const RECONNECT_MS_MAX = 5_000;

/** Who hears what comes on the channel. None of these may throw. */
export interface NoticeConnectionHooks {
  /** A notification came, from whichever session, this one included. */
  readonly onPayload: (payload: string) => void;
  /** It listens, for the first time or again: notifications may have been missed before. */
  readonly onListening: () => void;
  /** It listened, and does so no more. */
  readonly onLost: () => void;
}

/**
 * One connection of its own that listens to a channel and sends on it. It is made again whenever it breaks. It
 * asks nothing by itself: a server that hangs is noticed by the next {@link send}, so something must be sent
 * every now and then. It needs PostgreSQL itself, or a pooler that keeps sessions.
 */
export class NoticeConnection {
  readonly #url: string;
  readonly #channel: string;
  readonly #hooks: NoticeConnectionHooks;
  readonly #log: Log;
  #socket: Socket | undefined;
  /** The session that listens, while one does. */
  #listening: pg.Client | undefined;
  #timer: NodeJS.Timeout | undefined;
  #reconnectMs = RECONNECT_MS_MIN;
  #isClosed = false;

  constructor(url: string, channel: string, hooks: NoticeConnectionHooks, log: Log) {
    this.#url = url;
    this.#channel = channel;
    this.#hooks = hooks;
    this.#log = log;
  }

  /** Tries once and resolves, whether it listens now or goes on trying in the background. Never rejects. */
  async connect(): Promise<void> {
    if (this.#isClosed) return;
    const socket = new Socket();
    this.#socket = socket;
    // However a connection ends, its socket closes: the one place that leads to the next attempt.
    socket.once('close', () => {
      this.#lose();
    });
    const client = this.#clientOn(socket);
    try {
      await client.connect();
      await client.query(this.#listenSql);
      // It can have closed in the meantime; then this has been told already.
      if (socket.destroyed) return;
      this.#reconnectMs = RECONNECT_MS_MIN;
      this.#listening = client;
      this.#hooks.onListening();
    } catch (error) {
      this.#warn(error, 'notices of writes cannot be heard');
      socket.destroy();
    }
  }

  /**
   * Sends payloads, each under 8,000 bytes, in order and all or none. A server that does not answer within two
   * seconds loses the connection.
   *
   * @throws Error when it is not known that they have arrived
   */
  async send(payloads: readonly string[]): Promise<void> {
    const client = this.#listening;
    const socket = this.#socket;
    if (client === undefined) throw new Error('There is no connection to send notices on.');
    try {
      await client.query(NOTIFY_SQL, [this.#channel, payloads]);
    } catch (error) {
      // What the server refuses by itself says nothing against the connection.
      if (!(error instanceof pg.DatabaseError) && this.#listening === client) {
        this.#warn(error, 'notices of writes cannot be sent');
        socket?.destroy();
      }
      throw error;
    }
  }

  /** Ends the connection and all attempts at once, whatever state the server is in. No hook is called any more. */
  close(): void {
    this.#isClosed = true;
    this.#listening = undefined;
    clearTimeout(this.#timer);
    this.#socket?.destroy();
  }

  /** A notice that a crash of the server loses was lost with the connection: it need not wait for the disk. */
  get #listenSql(): string {
    return `SET synchronous_commit = off; LISTEN ${pg.escapeIdentifier(this.#channel)}`;
  }

  #clientOn(socket: Socket): pg.Client {
    const client = new pg.Client({
      connectionString: this.#url,
      application_name: 'shardgate-notices',
      connectionTimeoutMillis: ANSWER_MS_MAX,
      query_timeout: ANSWER_MS_MAX,
      keepAlive: true,
      stream: () => socket,
    });
    client.on('error', () => {
      // The socket closes as well.
    });
    client.on('notification', ({ payload = '' }) => {
      if (!this.#isClosed) this.#hooks.onPayload(payload);
    });
    return client;
  }

  #lose(): void {
    clearTimeout(this.#timer);
    if (this.#isClosed) return;
    this.#timer = setTimeout(() => void this.connect(), this.#reconnectMs).unref();
    this.#reconnectMs = Math.min(this.#reconnectMs * 2, RECONNECT_MS_MAX);
    if (this.#listening === undefined) return;
    this.#listening = undefined;
    this.#hooks.onLost();
  }

  #warn(error: unknown, message: string): void {
    if (!this.#isClosed)
      this.#log.warn({ reason: error instanceof Error ? error.message : 'unknown' }, message);
  }
}
