import { Socket } from 'node:net';
import pg from 'pg';
import type { Log } from '../../common/log.js';

const LISTEN_SQL = 'LISTEN shardgate_catalog';
const HEARTBEAT_SQL = 'SELECT 1';

/** A server that hangs keeps its connections open: only a question that is not answered shows it. */
const HEARTBEAT_MS = 2_000;
const ANSWER_MS_MAX = 4_000;
const RECONNECT_MS_MIN = 250;
const RECONNECT_MS_MAX = 5_000;

/** Who hears what the listener learns. */
export interface CatalogListenerHooks {
  /** A notice came. */
  readonly onNotice: (payload: string) => void;
  /** It listens, for the first time or again: notices may have been missed before. */
  readonly onListening: () => void;
  /** The server keeps its connections but answers nothing. */
  readonly onSilence: () => void;
}

/** The one connection on which the catalog notifies of changes. It is made again whenever it breaks or falls silent. */
export class CatalogListener {
  readonly #url: string;
  readonly #hooks: CatalogListenerHooks;
  readonly #log: Log;
  #socket: Socket | undefined;
  #timer: NodeJS.Timeout | undefined;
  #reconnectMs = RECONNECT_MS_MIN;
  #closed = false;

  constructor(url: string, hooks: CatalogListenerHooks, log: Log) {
    this.#url = url;
    this.#hooks = hooks;
    this.#log = log;
  }

  /** Tries once and resolves, whether it listens now or goes on trying in the background. Never rejects. */
  async connect(): Promise<void> {
    if (this.#closed) return;
    const socket = new Socket();
    this.#socket = socket;
    // However a connection ends, its socket closes: the one place that leads to the next attempt.
    socket.once('close', () => {
      this.#connectLater();
    });
    const client = this.#clientOn(socket);
    try {
      await client.connect();
      await client.query(LISTEN_SQL);
      this.#reconnectMs = RECONNECT_MS_MIN;
      this.#beatLater(client, socket);
      this.#hooks.onListening();
    } catch (error) {
      this.#warn(error, 'the catalog is away');
      socket.destroy();
    }
  }

  /** Ends the connection and all attempts at once, whatever state the server is in. */
  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#socket?.destroy();
  }

  #clientOn(socket: Socket): pg.Client {
    const client = new pg.Client({
      connectionString: this.#url,
      application_name: 'shardgate-listen',
      connectionTimeoutMillis: ANSWER_MS_MAX,
      query_timeout: ANSWER_MS_MAX,
      keepAlive: true,
      stream: () => socket,
    });
    client.on('error', () => {
      // The socket closes as well.
    });
    client.on('notification', ({ payload = '' }) => {
      this.#hooks.onNotice(payload);
    });
    return client;
  }

  #beatLater(client: pg.Client, socket: Socket): void {
    this.#timer = setTimeout(() => {
      client.query(HEARTBEAT_SQL).then(
        () => {
          if (!socket.destroyed) this.#beatLater(client, socket);
        },
        (error: unknown) => {
          if (socket.destroyed) return;
          this.#warn(error, 'the catalog does not answer');
          this.#hooks.onSilence();
          socket.destroy();
        },
      );
    }, HEARTBEAT_MS).unref();
  }

  #connectLater(): void {
    clearTimeout(this.#timer);
    if (this.#closed) return;
    this.#timer = setTimeout(() => void this.connect(), this.#reconnectMs).unref();
    this.#reconnectMs = Math.min(this.#reconnectMs * 2, RECONNECT_MS_MAX);
  }

  #warn(error: unknown, message: string): void {
    if (!this.#closed)
      this.#log.warn({ reason: error instanceof Error ? error.message : 'unknown' }, message);
  }
}
