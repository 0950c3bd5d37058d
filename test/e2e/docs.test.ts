import { readFile } from 'node:fs/promises';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { GatewayProcess } from '../support/gateway-process.js';
import { checkLedgersAfterwards } from '../support/ledgers-afterwards.js';
import { ownDatabases } from '../support/own-databases.js';

interface Operation {
  security?: object[];
  parameters?: { name: string; in: string; required: boolean }[];
  responses: Record<string, { content?: Record<string, { schema: unknown }>; headers?: object }>;
}

interface Document {
  openapi: string;
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, unknown>; securitySchemes: Record<string, unknown> };
}

const ROUTES = [
  'get /health/live',
  'get /health/ready',
  'get /metrics',
  'post /v1/accounts',
  'get /v1/accounts',
  'patch /v1/accounts',
  'get /v1/accounts/{id}',
  'patch /v1/accounts/{id}',
  'post /v1/transfers',
  'post /v1/transfers/batch',
  'get /v1/transfers/{id}',
  'post /v1/transfers/{id}/post',
  'post /v1/transfers/{id}/void',
  'get /v1/reports/balances',
  'post /v1/admin/tenants',
  'get /v1/admin/tenants',
  'get /v1/admin/tenants/{id}',
  'patch /v1/admin/tenants/{id}',
  'post /v1/admin/tenants/{id}/api-keys',
  'delete /v1/admin/tenants/{id}/api-keys/{keyId}',
  'get /v1/admin/shards',
  'get /v1/admin/route',
  'get /v1/admin/transactions/in-doubt',
  'get /v1/admin/cache',
  'delete /v1/admin/cache',
];

let gateway: GatewayProcess;
let document: Document;

beforeAll(async () => {
  const config = await ownDatabases();
  checkLedgersAfterwards(config);
  gateway = await GatewayProcess.start({ config });
  document = (await (await gateway.request('/openapi.json')).json()) as Document;
}, 60_000);

const operations = (): [string, Operation][] =>
  Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]): [string, Operation] => [
      `${method} ${path}`,
      operation,
    ]),
  );

describe('the OpenAPI document', () => {
  it('has every route', () => {
    expect(document.openapi).toMatch(/^3\./);
    expect(operations().map(([name]) => name)).toEqual(expect.arrayContaining(ROUTES));
  });

  it('gives each route but health checks and metrics a key, an answer and its problems', () => {
    for (const [name, { security, responses }] of operations()) {
      if (name.includes('/health/') || name === 'get /metrics') continue;
      expect([name, security]).toEqual([name, [expect.anything()]]);
      expect(Object.keys(responses).some((status) => status.startsWith('2'))).toBe(true);
      for (const status of ['400', '401', '403', '503']) {
        expect(responses[status]?.content?.['application/problem+json']?.schema).toEqual({
          $ref: '#/components/schemas/Problem',
        });
      }
    }
  });

  it('names each parameter once, and refers only to what is there', () => {
    for (const [name, { parameters = [] }] of operations()) {
      const names = parameters.map((parameter) => `${parameter.in} ${parameter.name}`);
      expect([name, names]).toEqual([name, [...new Set(names)]]);
    }
    const references = JSON.stringify(document).matchAll(/"\$ref":"#\/components\/schemas\/([^"]+)"/g);
    for (const [, schema] of references) expect(Object.keys(document.components.schemas)).toContain(schema);
    expect(Object.keys(document.components.securitySchemes).sort()).toEqual(['operatorKey', 'tenantKey']);
  });

  it('says which answers carry a token and which a source', () => {
    const headersOf = (name: string, status: string): string[] =>
      Object.keys(operations().find(([key]) => key === name)?.[1].responses[status]?.headers ?? {});
    expect(headersOf('post /v1/accounts', '201')).toContain('X-Consistency-Token');
    expect(headersOf('get /v1/accounts/{id}', '200')).toContain('X-Shardgate-Source');
  });

  it('has no route that docs/http-api.md leaves out', async () => {
    const text = await readFile(new URL('../../docs/http-api.md', import.meta.url), 'utf8');
    for (const [name] of operations()) {
      const [method = '', path = ''] = name.split(' ');
      expect(text).toContain(`${method.toUpperCase()} ${path.replaceAll(/\{(\w+)\}/g, ':$1')}`);
    }
  });
});

describe('Swagger UI', () => {
  it('is served whole from this process', async () => {
    const page = await gateway.request('/docs');
    expect(page.headers.get('content-type')).toContain('text/html');
    const html = await page.text();
    const assets = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, address]) => address ?? '');
    expect(assets.length).toBeGreaterThan(3);
    for (const address of assets) {
      expect(address).not.toMatch(/^(https?:)?\/\//);
      const asset = await fetch(new URL(address, `${gateway.url}/docs`));
      expect([address, asset.status]).toEqual([address, 200]);
    }
  });
});
