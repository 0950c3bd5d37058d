import type { HostileWorld } from './hostile-world.js';
import type { Operation } from './openapi-document.js';
import { withBodyAt, withHeader, type Mutation, type RequestDraft } from './request-draft.js';

/** A reason to refuse a write, whatever else is in it. */
export interface Refusal extends Mutation {
  /** Whether the refusal is remembered under the request's idempotency key: a row. */
  readonly decided: boolean;
}

/**
 * Each write's own reasons for which it is refused late, after most of what a request is made of has been
 * read: so that a request which is hostile but may be acceptable gets far, and still changes nothing.
 * Undefined for an operation that is not known here.
 */
export function lateRefusals(
  { name }: Operation,
  { own, other }: HostileWorld,
): readonly Refusal[] | undefined {
  const inPath = (parameter: string, value: string): Refusal =>
    refusal(`path.${parameter}`, true, (draft) => ({
      ...draft,
      path: { ...draft.path, [parameter]: value },
    }));
  const inBody = (place: string, value: unknown, decided: boolean): Refusal =>
    refusal(`body.${place}`, decided, (draft) => withBodyAt(draft, [place], value));
  const inHeader = (header: string, value: string | undefined, decided: boolean): Refusal =>
    refusal(`header.${header}`, decided, (draft) => withHeader(draft, header, value));
  const movement = [
    inPath('id', other.accountId),
    inPath('id', own.accountId.replace(/.{12}$/, '000000000000')),
    inPath('id', own.frozenAccountId),
    inHeader('x-user-id', 'nobody', true),
    inBody('amount', '0.00001', false),
  ];
  const resolving = [
    inPath('id', own.heldTransferIds[0].replace(/.{12}$/, '000000000000')),
    inPath('id', other.heldTransferIds[0]),
    inHeader('x-user-id', 'nobody', true),
  ];
  const known: Readonly<Record<string, readonly Refusal[]>> = {
    'post /v1/accounts': [
      inBody('accountNumber', own.accountNumber, true),
      inBody('openingBalance', '0.00001', false),
      inHeader('x-user-id', undefined, false),
    ],
    'patch /v1/accounts': [
      inBody('updates', [{ id: own.accountId, status: 'GONE' }], false),
      { ...inBody('updates', [{ id: other.accountId, status: 'FROZEN' }], false), effect: 'harmless' },
    ],
    'patch /v1/accounts/{id}': [
      inPath('id', other.accountId),
      inHeader('if-match', '"999999"', false),
      inHeader('x-user-id', 'nobody', false),
    ],
    'post /v1/accounts/{id}/deposits': movement,
    'post /v1/accounts/{id}/withdrawals': [...movement, inBody('amount', '9999999999999999', true)],
    'post /v1/transfers': [
      inBody('fromAccountId', own.frozenAccountId, true),
      inBody('amount', '9999999999999999', true),
      inBody('toAccountId', own.accountId, true),
      inBody('amount', '0.00001', false),
    ],
    'post /v1/transfers/batch': [
      inBody(
        'transfers',
        [{ fromAccountId: own.accountId, toAccountId: own.payeeAccountId, amount: '-1' }],
        false,
      ),
      inBody('surprise', 1, false),
    ],
    'post /v1/transfers/{id}/post': [...resolving, inBody('amount', '1.01', true)],
    'post /v1/transfers/{id}/void': resolving,
    'post /v1/admin/tenants': [inBody('id', own.id, false)],
    'patch /v1/admin/tenants/{id}': [inPath('id', 'no-such-tenant'), inBody('surprise', 1, false)],
    'post /v1/admin/tenants/{id}/api-keys': [inPath('id', 'no-such-tenant')],
    'delete /v1/admin/cache': [
      refusal('query.tenantId', false, (draft) => ({ ...draft, query: ['tenantId=no-such-tenant'] })),
    ],
    'delete /v1/admin/tenants/{id}/api-keys/{keyId}': [
      inPath('keyId', 'nosuchkey000'),
      inPath('id', other.id),
    ],
  };
  return known[name];
}

/** A key that does not open the operation: the reason that every operation has. */
export function wrongKey({ access }: Operation, { operatorKey, own }: HostileWorld): Refusal {
  const key = access === 'operator' ? own.key : operatorKey;
  return refusal('header.authorization', false, (draft) =>
    withHeader(draft, 'authorization', `Bearer ${key}`),
  );
}

function refusal(site: string, decided: boolean, apply: (draft: RequestDraft) => RequestDraft): Refusal {
  return { what: `refused for its ${site}`, sites: [site], effect: 'refused', apply, decided };
}
