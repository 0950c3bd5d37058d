import { SeededRandom } from '../hostile/seeded-random.js';

/** What goes wrong: a gateway process or a primary dies, or connections to a primary are cut. */
export const FAULT_KINDS = ['gateway', 'primary', 'connections'] as const;

/** What goes wrong. */
export type FaultKind = (typeof FAULT_KINDS)[number];

/** When each kind happens first, and how long after the one before at least and at most, ms. */
const EVERY_MS: Readonly<Record<FaultKind, { first: number; least: number; most: number }>> = {
  gateway: { first: 3_000, least: 3_000, most: 7_000 },
  primary: { first: 4_500, least: 6_000, most: 12_000 },
  connections: { first: 600, least: 200, most: 800 },
};

/** One fault, as it is planned. */
export interface PlannedFault {
  /** Since the load began. */
  readonly atMs: number;
  /** From 0 to below 1: whom it hits, of those that can be hit then. */
  readonly whom: number;
}

/** The faults of one kind during a load, in order; they depend on nothing else than what is given here. */
export function faultsOf(seed: number, kind: FaultKind, forMs: number): PlannedFault[] {
  const random = new SeededRandom(seed + 500_009 * (1 + FAULT_KINDS.indexOf(kind)));
  const { first, least, most } = EVERY_MS[kind];
  const planned: PlannedFault[] = [];
  for (let atMs = first * (0.5 + random.next() / 2); atMs < forMs;) {
    planned.push({ atMs, whom: random.next() });
    atMs += least + random.next() * (most - least);
  }
  return planned;
}
