import { addressMutations } from './address-mutations.js';
import { baselineOf } from './baseline.js';
import { bodyMutations } from './body-mutations.js';
import { headerMutations } from './header-mutations.js';
import type { HostileWorld } from './hostile-world.js';
import { methodMutations, surplusBodies } from './method-mutations.js';
import type { Operation } from './openapi-document.js';
import { lateRefusals, wrongKey } from './refusals.js';
import { overlap, targetOf, type HostileRequest, type Mutation, type RequestDraft } from './request-draft.js';
import { writeJson } from './schema-violations.js';
import type { SeededRandom } from './seeded-random.js';

/** A key that is fit to be kept is kept with what was decided, which is a row. */
const KEY_SITE = 'header.idempotency-key';

/** Makes hostile requests from a service's operations. The same seed makes the same of the same world. */
export class HostileGenerator {
  readonly #operations: readonly Operation[];
  readonly #world: HostileWorld;
  readonly #random: SeededRandom;
  readonly #mutations: ReadonlyMap<string, readonly Mutation[]>;

  constructor(operations: readonly Operation[], world: HostileWorld, random: SeededRandom) {
    this.#operations = operations;
    this.#world = world;
    this.#random = random;
    this.#mutations = new Map(operations.map((operation) => [operation.name, this.#mutationsOf(operation)]));
  }

  /** Every mutation of every operation by itself, then as many pairs of them, all of it shuffled. */
  requests(pairs: number): HostileRequest[] {
    const singles = this.#operations.flatMap((operation) =>
      (this.#mutations.get(operation.name) ?? []).map((mutation) => this.#make(operation, [mutation])),
    );
    const paired = Array.from({ length: pairs }, () => this.#pair());
    return this.#random.shuffled([...singles, ...paired]);
  }

  #pair(): HostileRequest {
    for (;;) {
      const operation = this.#random.pick(this.#operations);
      const mutations = this.#mutations.get(operation.name) ?? [];
      const [one, other] = [this.#random.pick(mutations), this.#random.pick(mutations)];
      const keepsKey = [one, other].some(
        ({ sites, effect }) => sites.includes(KEY_SITE) && effect !== 'refused',
      );
      if (!keepsKey && !overlap(one.sites, other.sites)) return this.#make(operation, [one, other]);
    }
  }

  /** Applied last of all: what a write is refused for, unless what was done to it suffices. */
  #make(operation: Operation, mutations: readonly Mutation[]): HostileRequest {
    const all = [...mutations, ...this.#reasonsToRefuse(operation, mutations)];
    const baseline = this.#withUserSometimes(operation, all);
    const draft = all.reduce((made, mutation) => mutation.apply(made), baseline);
    return {
      operation: operation.name,
      what: all.map(({ what }) => what).join('; '),
      method: draft.method,
      target: targetOf(operation, draft),
      headers: draft.headers,
      body: bodyOf(draft),
      expected: expectedOf(operation, all),
    };
  }

  #reasonsToRefuse(operation: Operation, mutations: readonly Mutation[]): readonly Mutation[] {
    const settled = mutations.some(({ effect }) => effect === 'refused');
    const harmless = mutations.every(({ effect }) => effect === 'harmless');
    if (!operation.writes || settled || harmless) return [];
    const sites = mutations.flatMap((mutation) => mutation.sites);
    const fits = [...(lateRefusals(operation, this.#world) ?? []), wrongKey(operation, this.#world)].filter(
      (reason) => !overlap(reason.sites, sites) && !(reason.decided && sites.includes(KEY_SITE)),
    );
    // The wrong key is the last resort: it is told before anything else is looked at.
    return [this.#random.pick(fits.length > 1 ? fits.slice(0, -1) : fits)];
  }

  /** Half of the tenant's requests are a user's, who owns what they are about. */
  #withUserSometimes(operation: Operation, mutations: readonly Mutation[]): RequestDraft {
    const baseline = baselineOf(operation, this.#world);
    const isFree = !overlap(
      ['header.x-user-id'],
      mutations.flatMap(({ sites }) => sites),
    );
    if (operation.access !== 'tenant' || !isFree || this.#random.next() < 0.5) return baseline;
    return { ...baseline, headers: { ...baseline.headers, 'x-user-id': this.#world.own.userId } };
  }

  #mutationsOf(operation: Operation): Mutation[] {
    return [
      ...addressMutations(operation, this.#world),
      ...headerMutations(operation, this.#world),
      ...bodyMutations(operation, baselineOf(operation, this.#world)),
      ...surplusBodies(operation),
      ...methodMutations(operation, this.#operations),
    ];
  }
}

/** The request as it is: accepted, if the generator's idea of a good request is right. */
export function wellBehaved(operation: Operation, world: HostileWorld): HostileRequest {
  const draft = baselineOf(operation, world);
  return {
    operation: operation.name,
    what: 'nothing',
    method: draft.method,
    target: targetOf(operation, draft),
    headers: draft.headers,
    body: bodyOf(draft),
    expected: 'any',
  };
}

function expectedOf(operation: Operation, mutations: readonly Mutation[]): HostileRequest['expected'] {
  if (mutations.some(({ effect }) => effect === 'refused')) return 'refused';
  return operation.writes ? 'unchanged' : 'any';
}

function bodyOf({ body, rawBody, respell }: RequestDraft): string | Buffer | undefined {
  if (rawBody !== undefined || body === undefined) return rawBody;
  const json = writeJson(body);
  return respell === undefined ? json : respell(json);
}
