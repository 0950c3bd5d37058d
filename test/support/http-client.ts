/** One answer of the gateway, read to its end. */
export interface HttpAnswer<Body = Record<string, unknown>> {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Body;
  /** The body byte for byte. */
  readonly text: string;
}

/** What goes along with a request. */
export interface HttpRequest {
  readonly userId?: string | undefined;
  readonly idempotencyKey?: string | undefined;
  readonly token?: string | undefined;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

/** Speaks to one gateway with one key. */
export class HttpClient {
  readonly #url: string;
  readonly #key: string;

  constructor(url: string, key: string) {
    this.#url = url;
    this.#key = key;
  }

  get<Body = Record<string, unknown>>(path: string, request: HttpRequest = {}): Promise<HttpAnswer<Body>> {
    return this.send('GET', path, request);
  }

  post<Body = Record<string, unknown>>(
    path: string,
    body: unknown,
    request: HttpRequest = {},
  ): Promise<HttpAnswer<Body>> {
    return this.send('POST', path, { ...request, body });
  }

  patch<Body = Record<string, unknown>>(
    path: string,
    body: unknown,
    request: HttpRequest = {},
  ): Promise<HttpAnswer<Body>> {
    return this.send('PATCH', path, { ...request, body });
  }

  async send<Body = Record<string, unknown>>(
    method: string,
    path: string,
    { userId, idempotencyKey, token, headers, body }: HttpRequest,
  ): Promise<HttpAnswer<Body>> {
    const response = await fetch(`${this.#url}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${this.#key}`,
        ...(userId !== undefined && { 'x-user-id': userId }),
        ...(idempotencyKey !== undefined && { 'idempotency-key': idempotencyKey }),
        ...(token !== undefined && { 'x-consistency-token': token }),
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    return {
      status: response.status,
      headers: response.headers,
      text,
      body: (text === '' ? {} : JSON.parse(text)) as Body,
    };
  }
}
