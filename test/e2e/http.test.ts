import { request as rawRequest } from 'node:http';
import { connect } from 'node:net';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { encodeToken } from '../../src/sharding/replication/consistency-token.js';
import { eventually } from '../support/eventually.js';
import type { ClusterConfig } from '../../src/sharding/cluster/cluster-config.js';
import { GatewayProcess, OPERATOR_KEY } from '../support/gateway-process.js';
import { ownDatabases } from '../support/own-databases.js';
import { checkLedgersAfterwards } from '../support/ledgers-afterwards.js';

interface Problem {
  type: string;
  title: string;
  status: number;
  detail: string;
  instance: string;
  code: string;
  errors?: { path: string; message: string }[];
}

interface Answer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  text: string;
}

const TENANTS = '/v1/admin/tenants';
const JSON_TYPE = { 'content-type': 'application/json' };

let config: ClusterConfig;
let gateway: GatewayProcess;
let other: GatewayProcess;
let tenantKey: string;

beforeAll(async () => {
  config = await ownDatabases();
  checkLedgersAfterwards(config);
  gateway = await GatewayProcess.start({ config });
  other = await GatewayProcess.start({ config });
  tenantKey = await gateway.createTenant('acme');
}, 90_000);

/** Sends the bytes as they are, which fetch would refuse or mend. */
function send(
  path: string,
  method: string,
  headers: Record<string, string>,
  body?: string | Buffer,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = rawRequest(gateway.url, { path, method, headers }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => (text += chunk));
      response.on('end', () => {
        resolve({ status: response.statusCode ?? 0, headers: response.headers, text });
      });
    });
    request.on('error', reject);
    request.end(body);
  });
}

function asOperator(body: string | Buffer, headers: Record<string, string> = JSON_TYPE): Promise<Answer> {
  return send(TENANTS, 'POST', { authorization: `Bearer ${OPERATOR_KEY}`, ...headers }, body);
}

function problemIn({ headers, text }: Answer): Problem {
  expect(headers['content-type']).toMatch(/^application\/problem\+json/);
  const problem = JSON.parse(text) as Problem;
  expect(problem.type).toBe(`urn:shardgate:problem:${problem.code}`);
  expect(problem.instance).toMatch(/^urn:uuid:[0-9a-f-]{36}$/);
  expect(problem.title).not.toBe('');
  expect(problem.detail).not.toBe('');
  return problem;
}

describe('a malformed request', () => {
  const tenant = (id: string): string => JSON.stringify({ id, name: 'x' });
  const cases: [what: string, body: string | Buffer, path: string][] = [
    ['JSON that is cut off', '{"id":', ''],
    ['an empty body', '', ''],
    ['an array where an object is due', '[]', ''],
    ['a bare null', 'null', ''],
    ['an unknown field', '{"id":"a","name":"x","surprise":1}', 'surprise'],
    ['an unknown field within', '{"id":"a","name":"x","quota":{"surprise":1}}', 'quota.surprise'],
    ['a field called constructor', '{"id":"a","name":"x","constructor":1}', 'constructor'],
    ['a key __proto__', '{"id":"a","name":"x","__proto__":{"status":"active"}}', ''],
    ['a wrong type', '{"id":"a","name":7}', 'name'],
    ['a missing field', '{"id":"a"}', 'name'],
    ['a NUL character', '{"id":"a","name":"x\\u0000y"}', 'name'],
    ['a lone surrogate', '{"id":"a","name":"x\\ud800y"}', 'name'],
    ['a line break in a name', '{"id":"a","name":"x\\ny"}', 'name'],
    ['a text that is too long', JSON.stringify({ id: 'a', name: 'x'.repeat(201) }), 'name'],
    ['an id with upper case', tenant('Acme'), 'id'],
    ['an id that is SQL', tenant("a'; drop table x; --"), 'id'],
    ['a number beyond all bounds', '{"id":"a","name":"x","quota":{"accounts":1e999}}', 'quota.accounts'],
    ['a negative quota', '{"id":"a","name":"x","quota":{"accounts":-1}}', 'quota.accounts'],
    [
      'an unknown shard',
      '{"id":"a","name":"x","placement":{"mode":"dedicated","shardId":"s9"}}',
      'placement.shardId',
    ],
    ['nesting a hundred thousand deep', '['.repeat(100_000) + ']'.repeat(100_000), ''],
    ['deep nesting in a field', `{"id":"a","name":${'{"a":'.repeat(50_000)}1${'}'.repeat(50_000)}}`, 'name'],
  ];

  it.each(cases)('with %s is 400 and names the place', async (_, body, path) => {
    const answer = await asOperator(body);
    expect(answer.status).toBe(400);
    const problem = problemIn(answer);
    expect(problem).toMatchObject({ code: 'validation_failed', status: 400 });
    expect(problem.errors?.map((fault) => fault.path)).toContain(path);
  });

  it('lists every fault at once', async () => {
    const { errors } = problemIn(await asOperator('{"id":"A","name":7,"x":1,"y":2}'));
    expect(errors?.map(({ path }) => path).sort()).toEqual(['id', 'name', 'x', 'y']);
  });

  it('with a body above the limit is 413', async () => {
    const answer = await asOperator(JSON.stringify({ id: 'a', name: 'x'.repeat(1_100_000) }));
    expect(answer.status).toBe(413);
    expect(problemIn(answer).code).toBe('payload_too_large');
  });

  it.each(['text/plain', 'application/x-www-form-urlencoded', 'application/xml', 'nonsense'])(
    'of the media type %s is 415',
    async (type) => {
      const answer = await asOperator('id=a', { 'content-type': type });
      expect(answer.status).toBe(415);
      expect(problemIn(answer).code).toBe('unsupported_media_type');
    },
  );

  it.each([
    'limit=0',
    'limit=501',
    'limit=x',
    'limit=1e2',
    'limit=1&limit=2',
    'limit=',
    'cursor=%00',
    'cursor=abc',
    'cursor=',
    'offset=3',
  ])('for a list with %s is 400', async (query) => {
    const answer = await send(`${TENANTS}?${query}`, 'GET', { authorization: `Bearer ${OPERATOR_KEY}` });
    expect(answer.status).toBe(400);
    expect(problemIn(answer).code).toBe('validation_failed');
  });

  it.each([
    ['a broken escape', '/%E0%A4%A', 400, 'validation_failed'],
    ['no route', '/v1/no-such-route', 404, 'not_found'],
    ['an endless part', `${TENANTS}/${'x'.repeat(3_000)}`, 400, 'validation_failed'],
    ['nothing', '/', 404, 'not_found'],
  ])('to an address with %s is refused', async (_, path, status, code) => {
    const answer = await send(path, 'GET', { authorization: `Bearer ${OPERATOR_KEY}` });
    expect(answer.status).toBe(status);
    expect(problemIn(answer).code).toBe(code);
  });

  it('with headers above all limits, or that is not HTTP, gets a problem and not silence', async () => {
    const tooLarge = await send('/health/live', 'GET', { 'x-large': 'x'.repeat(40_000) });
    expect(problemIn(tooLarge)).toMatchObject({ code: 'validation_failed', status: 431 });
    const raw = await new Promise<string>((resolve, reject) => {
      const { hostname, port } = new URL(gateway.url);
      const socket = connect(Number(port), hostname, () => socket.write('this is not HTTP\r\n\r\n'));
      let text = '';
      socket.on('data', (chunk) => (text += chunk.toString()));
      socket.on('end', () => {
        resolve(text);
      });
      socket.on('error', reject);
    });
    expect(raw).toMatch(/^HTTP\/1\.1 400 /);
    expect(raw).toContain('"code":"validation_failed"');
  });
});

describe('a key', () => {
  it.each([
    ['no header', undefined],
    ['another scheme', 'Basic YTpi'],
    ['no key', 'Bearer '],
    ['an unknown key', `Bearer sg_abcdefghijkl_${'x'.repeat(43)}`],
    ['a key of no form', 'Bearer nonsense'],
  ])('given as %s is 401 and asks for one', async (_, authorization) => {
    const answer = await send(TENANTS, 'GET', authorization === undefined ? {} : { authorization });
    expect(answer.status).toBe(401);
    expect(answer.headers['www-authenticate']).toBe('Bearer');
    expect(problemIn(answer).code).toBe('unauthenticated');
  });

  it('of a tenant does not reach administration, nor the operator a tenant', async () => {
    const asTenant = await gateway.request(TENANTS, { key: tenantKey });
    expect([asTenant.status, ((await asTenant.json()) as Problem).code]).toEqual([403, 'forbidden']);
    const asOperator = await gateway.request('/v1/accounts', { key: OPERATOR_KEY });
    expect([asOperator.status, ((await asOperator.json()) as Problem).code]).toEqual([403, 'forbidden']);
  });

  it('of a suspended tenant is refused, soon in every process, until the tenant is active again', async () => {
    const key = await gateway.createTenant('suspended-one');
    await eventually('the other process knows the key', async () => {
      return (await other.request('/v1/accounts', { key })).status === 200;
    });
    const change = (status: string): Promise<Response> =>
      gateway.request(`${TENANTS}/suspended-one`, { method: 'PATCH', key: OPERATOR_KEY, body: { status } });
    expect((await change('suspended')).status).toBe(200);
    const refused = await gateway.request('/v1/accounts', { key });
    expect([refused.status, ((await refused.json()) as Problem).code]).toEqual([403, 'tenant_suspended']);
    await eventually('the other process refuses', async () => {
      return (await other.request('/v1/accounts', { key })).status === 403;
    });
    await change('active');
    expect((await gateway.request('/v1/accounts', { key })).status).toBe(200);
  });
});

describe('the headers of a scope', () => {
  it('are all checked, and all faults are listed', async () => {
    const answer = await gateway.request('/v1/accounts', {
      key: tenantKey,
      headers: { 'x-user-id': 'no spaces', 'x-actor': 'x'.repeat(129), 'x-consistency-token': 'v2.mangled' },
    });
    expect(answer.status).toBe(400);
    const { errors } = (await answer.json()) as Problem;
    expect(errors?.map(({ path }) => path)).toEqual(['X-User-Id', 'X-Actor', 'X-Consistency-Token']);
  });

  it('must name the user where a route acts for one', async () => {
    const body = { accountNumber: 'X-1', currency: 'EUR' };
    const answer = await gateway.request('/v1/accounts', { key: tenantKey, body });
    expect([answer.status, ((await answer.json()) as Problem).code]).toEqual([400, 'scope_missing']);
  });

  it('make a read see the write whose token they carry, and tell who answered', async () => {
    const headers = { 'x-user-id': 'alice' };
    const body = { accountNumber: 'ALICE-1', currency: 'EUR', openingBalance: '10.00' };
    const created = await gateway.request('/v1/accounts', { key: tenantKey, headers, body });
    expect(created.status).toBe(201);
    const token = created.headers.get('x-consistency-token') ?? '';
    expect(token).toMatch(/^v2\./);
    const { id } = (await created.json()) as { id: string };
    await eventually('the other process knows the tenant', async () => {
      return (await other.request('/v1/accounts', { key: tenantKey })).status === 200;
    });
    const read = await other.request(`/v1/accounts/${id}`, {
      key: tenantKey,
      headers: { ...headers, 'x-consistency-token': token },
    });
    expect(read.status).toBe(200);
    expect(read.headers.get('x-shardgate-source')).toMatch(/^(replica|primary)$/);
    expect(read.headers.get('x-shardgate-shard')).toMatch(/^s[01]$/);
    expect(read.headers.get('x-consistency-token')).toBeNull();
  });

  it('may carry a token of a shard or timeline that no longer exists', async () => {
    const token = encodeToken([
      { shardId: 'gone', timeline: 1, lsn: 1n },
      { shardId: 's0', timeline: 9, lsn: 1n },
    ]);
    const answer = await gateway.request('/v1/accounts', {
      key: tenantKey,
      headers: { 'x-consistency-token': token },
    });
    expect(answer.status).toBe(200);
  });
});

describe('the log', () => {
  it('is JSON, has each request under its id, and holds no key, query or body', async () => {
    const answer = await gateway.request(`${TENANTS}?limit=7`, { key: OPERATOR_KEY });
    const requestId = answer.headers.get('x-request-id') ?? 'none';
    const line = await eventually('the request is logged', () =>
      gateway.stderr.split('\n').find((text) => text.includes(requestId)),
    );
    expect(JSON.parse(line)).toMatchObject({ requestId, route: TENANTS, status: 200, method: 'GET' });
    for (const secret of [OPERATOR_KEY, tenantKey, 'limit=7', 'ALICE-1', 'alice']) {
      expect(gateway.stderr).not.toContain(secret);
    }
    const lines = gateway.stderr.trim().split('\n');
    expect(() => lines.map((text) => JSON.parse(text) as unknown)).not.toThrow();
  });

  it('has nothing that was not expected', () => {
    expect(gateway.stderr).not.toContain('unexpectedly');
    expect(other.stderr).not.toContain('unexpectedly');
  });
});
