import { z } from 'zod';

/** One request to the gateway. */
export interface DemoRequest {
  readonly method: 'GET' | 'POST';
  /** From the root, with its query. */
  readonly path: string;
  readonly key: string;
  /** The acting user; undefined: the tenant's service acts. */
  readonly userId?: string | undefined;
  readonly body?: object;
  readonly headers?: Readonly<Record<string, string>>;
  /** The status that the walk goes on with. Default: 200 for GET, 201 for POST. */
  readonly expect?: number;
}

/** What came back. */
export interface DemoAnswer<Body> {
  readonly status: number;
  readonly body: Body;
  /** Where a read was answered from. */
  readonly source: string;
  readonly shard: string;
  /** The consistency token of a write. */
  readonly token: string;
  readonly replayed: boolean;
}

const failureSchema = z.object({ code: z.string(), detail: z.string() });

/** Speaks HTTP with a gateway, as any other service would. */
export class DemoClient {
  readonly #url: string;
  readonly #signal: AbortSignal;

  /** @param signal ends requests under way and refuses further ones */
  constructor(url: string, signal: AbortSignal) {
    this.#url = url;
    this.#signal = signal;
  }

  /** Sends a request. @throws Error when the answer is not the one that the walk goes on with */
  async send<Body>(schema: z.ZodType<Body>, request: DemoRequest): Promise<DemoAnswer<Body>> {
    const { method, path, key, userId, body, headers } = request;
    const response = await fetch(this.#url + path, {
      method,
      signal: this.#signal,
      headers: {
        authorization: `Bearer ${key}`,
        ...(userId !== undefined && { 'x-user-id': userId }),
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const answer: unknown = await response.json();
    if (response.status !== (request.expect ?? (method === 'GET' ? 200 : 201))) {
      const problem = failureSchema.safeParse(answer).data;
      throw new Error(
        `${method} ${path} answered ${response.status} ${problem?.code ?? ''}: ${problem?.detail ?? ''}`,
      );
    }
    return {
      status: response.status,
      body: schema.parse(answer),
      source: response.headers.get('x-shardgate-source') ?? '',
      shard: response.headers.get('x-shardgate-shard') ?? '',
      token: response.headers.get('x-consistency-token') ?? '',
      replayed: response.headers.get('idempotent-replayed') === 'true',
    };
  }
}
