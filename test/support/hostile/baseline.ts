import type { HostileWorld } from './hostile-world.js';
import type { Operation, Parameter } from './openapi-document.js';
import type { RequestDraft } from './request-draft.js';
import { goodOf } from './schema-violations.js';

/** The request that a well-behaved client of the world's own tenant would send: it would be accepted. */
export function baselineOf(operation: Operation, world: HostileWorld): RequestDraft {
  const { parameters, method, body } = operation;
  const inPath = parameters.filter((parameter) => parameter.in === 'path');
  const inQuery = parameters.filter((parameter) => parameter.in === 'query' && parameter.required === true);
  const key = keyFor(operation, world);
  const needsUser = parameters.some(({ name, required }) => name === 'X-User-Id' && required === true);
  return {
    method,
    path: Object.fromEntries(inPath.map(({ name }) => [name, idFor(operation, name, world)])),
    query: inQuery.map((parameter) => `${parameter.name}=${queryValueFor(parameter, world)}`),
    headers: {
      ...(key !== undefined && { authorization: `Bearer ${key}` }),
      ...(needsUser && { 'x-user-id': world.own.userId }),
      ...(body !== undefined && { 'content-type': 'application/json' }),
    },
    body: body === undefined ? undefined : bodyFor(operation, world),
  };
}

/** The key that opens the operation. */
function keyFor({ access }: Operation, world: HostileWorld): string | undefined {
  if (access === 'operator') return world.operatorKey;
  return access === 'tenant' ? world.own.key : undefined;
}

/** An existing thing's id, as it stands in the path. */
export function idFor({ path, access }: Operation, name: string, { own }: HostileWorld): string {
  if (name === 'keyId') return own.keyId;
  if (access === 'operator') return own.id;
  if (path.startsWith('/v1/transfers/')) return own.heldTransferIds[path.endsWith('/void') ? 1 : 0];
  return path.startsWith('/v1/transactions/') ? own.transactionId : own.accountId;
}

function queryValueFor({ name, schema }: Parameter, { own }: HostileWorld): string {
  const known: Readonly<Record<string, string>> = { tenantId: own.id, userId: own.userId };
  return known[name] ?? String(goodOf(schema));
}

/** By the schema, with what the schema does not know: which ids there are, and what changes something. */
function bodyFor({ name, body }: Operation, { own }: HostileWorld): unknown {
  const good = goodOf(body ?? {}) as Record<string, unknown>;
  switch (name) {
    case 'post /v1/transfers':
      return payment(own);
    case 'post /v1/transfers/batch':
      return { transfers: [payment(own)] };
    case 'post /v1/transfers/{id}/post':
      return { amount: '0.50' };
    case 'patch /v1/accounts':
      return { updates: [{ id: own.accountId, status: 'FROZEN' }] };
    case 'patch /v1/accounts/{id}':
      return { status: 'FROZEN' };
    case 'patch /v1/admin/tenants/{id}':
      return { name: 'Renamed' };
    default:
      return good;
  }
}

function payment({ accountId, payeeAccountId }: HostileWorld['own']): object {
  return { fromAccountId: accountId, toAccountId: payeeAccountId, amount: '1.00' };
}
