import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/** Stands between a process and a server, and hands on the server's answers late, in their order. */
export class SlowWire {
  /** How late, ms. */
  delayMs = 0;
  /** The server's, through this. */
  readonly url: string;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(url: string, server: Server) {
    this.url = url;
    this.#server = server;
  }

  /** One to the server of this url. */
  static async to(url: string): Promise<SlowWire> {
    const server = createServer({ noDelay: true }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { hostname, port } = new URL(url);
    const through = new URL(url);
    through.port = String((server.address() as AddressInfo).port);
    const wire = new SlowWire(through.href, server);
    server.on('connection', (client) => {
      wire.#join(client, connect({ host: hostname, port: Number(port), noDelay: true }));
    });
    return wire;
  }

  /** Ends it, and all connections through it. */
  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #join(client: Socket, server: Socket): void {
    for (const socket of [client, server]) {
      this.#sockets.add(socket);
      socket.on('error', () => undefined);
    }
    client.pipe(server);
    const line: { readonly dueMs: number; readonly hand: () => void }[] = [];
    const handDue = (): void => {
      for (let [first] = line; first !== undefined; [first] = line) {
        const waitMs = first.dueMs - performance.now();
        if (waitMs > 0) {
          setTimeout(handDue, Math.ceil(waitMs));
          return;
        }
        line.shift();
        first.hand();
      }
    };
    const later = (hand: () => void): void => {
      line.push({ dueMs: performance.now() + this.delayMs, hand });
      // Else a timer is set already.
      if (line.length === 1) handDue();
    };
    server.on('data', (bytes) => {
      later(() => client.write(bytes));
    });
    server.on('close', () => {
      this.#sockets.delete(server);
      later(() => client.end());
    });
    client.on('close', () => {
      this.#sockets.delete(client);
      server.destroy();
    });
  }
}
