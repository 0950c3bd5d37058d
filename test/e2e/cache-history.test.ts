import { randomInt } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, describe, expect, it } from '@jest/globals';
// First: the processes that it stops after the file must be gone before the cluster is.
import { GatewayWorker } from '../support/history/gateway-worker.js';
import type { EmbeddedCluster } from '../../src/sharding/cluster/embedded-cluster.js';
import { startOwnCluster } from '../support/cluster.js';
import { eventually } from '../support/eventually.js';
import { BOUND_MS, BROKEN_HISTORIES, SOUND_HISTORIES } from '../support/history/broken-histories.js';
import { cellsOf } from '../support/history/cell.js';
import { faultsIn, someOfEach, summaryOf } from '../support/history/check-history.js';
import { Faults } from '../support/history/faults.js';
import { MECHANISMS, type Mechanism } from '../support/history/mechanism.js';
import type { OperationRecord, ReadRecord } from '../support/history/records.js';
import { RoamingClient } from '../support/history/roaming-client.js';
import { howMuch } from '../support/soak.js';
import { Witness } from '../support/history/witness.js';

/** How long the load goes on. */
const LOAD_MS = howMuch({ short: 10_000, soak: 60_000 });
/** Of all chance; a run that fails says it. */
const SEED = Number(process.env.SHARDGATE_TEST_HISTORY_SEED ?? randomInt(2 ** 31));

/**
 * How long it may take until a cache without one of its mechanisms is found out, ms. Mostly it takes a few seconds; in
 * an hour in which a machine does a third of what it did before, more than forty.
 */
const BROKEN_MS_MAX = 150_000;
/** How often what was seen is looked at meanwhile, ms. */
const LOOK_EVERY_MS = 2_000;

/** Entries of a shard are not served when its notices have not been heard for so long: `src/cache/bus`. */
const SILENCE_MS = 1_500;
/** A batch waits for the answer to the one before; a busy server takes its time for that. */
const MARGIN_MS = 250;

const SOUND_TENANT = 'sound';
/** Who does without which mechanism of the cache. */
const BROKEN_TENANTS = { fence: 'without-fence', position: 'without-position', gap: 'without-gap' };
/** The rules that then are broken, each by itself or with others. */
const BROKEN_RULES: Readonly<Record<Mechanism, string>> = { fence: 'shown', position: 'own', gap: 'bound' };

let cluster: EmbeddedCluster;
let workers: readonly GatewayWorker[];

beforeAll(async () => {
  cluster = await startOwnCluster({ shards: 1, replicas: 1 });
  // One after the other: the first applies the migrations.
  const first = await GatewayWorker.start('first', cluster.config);
  const second = await GatewayWorker.start('second', cluster.config);
  workers = [first, second];
  const tenantIds = [SOUND_TENANT, ...Object.values(BROKEN_TENANTS)];
  await Promise.all(tenantIds.map((tenantId) => prepareCells(first, tenantId)));
}, 90_000);

/** Makes a tenant's cells, which both processes then have in their caches. */
async function prepareCells(maker: GatewayWorker, tenantId: string): Promise<void> {
  const field = await maker.makeCells(tenantId);
  for (const worker of workers) {
    await worker.meetCells(field);
    await eventually('the cache answers', async () => {
      const record = (await worker.perform(tenantId, 'nobody', {
        kind: 'read',
        how: 'page of all',
        cells: cellsOf(),
        isAsUser: false,
        past: 'nothing',
        tokenOf: [],
      })) as ReadRecord;
      return record.source === 'cache' && record.seen.length === cellsOf().length;
    });
  }
}

/**
 * What has to be noticed within a run. A gap that nobody minds shows only when a bus is cut at the moment of a write,
 * and the slower the machine, the older an answer may be: a short run does not find it every time.
 */
const SURELY_NOTICED = MECHANISMS.filter((mechanism) => mechanism !== 'gap' || LOAD_MS > 10_000);

/** What some tenants' clients did so far. */
interface Seen {
  /** How old the cache may be about another process's writes, ms. */
  readonly boundMs: number;
  /** Of each tenant. */
  readonly histories: readonly (readonly OperationRecord[])[];
}

/**
 * Lets clients of all of these tenants run amid the same faults.
 *
 * @param isEnough is asked every now and then whether to end it before its time
 */
async function load(
  tenantIds: readonly string[],
  forMs: number,
  isEnough: (seen: Seen) => boolean = () => false,
): Promise<Seen & { readonly cuts: number; readonly lagChanges: number }> {
  const faults = await Faults.prepare(cluster, workers, SEED);
  const clients = tenantIds.map((tenantId) => [
    new Witness(workers, { tenantId, seed: SEED + 4_000 }),
    ...cellsOf('quiet').map((owned, index) => {
      const plan = { tenantId, seed: SEED + 3_000 + index, owned };
      return new RoamingClient(`roaming.${index}`, { workers, faults }, plan);
    }),
  ]);
  const seen = async (how: 'look' | 'finish'): Promise<Seen> => {
    const told = await Promise.all(
      tenantIds.map((tenantId) => Promise.all(workers.map((worker) => worker[how](tenantId)))),
    );
    const delayMs = Math.max(...told.flat().map((each) => each.delayMs));
    const histories = told.map((ofProcesses, index) =>
      [...ofProcesses, ...(clients[index] ?? [])].flatMap(({ history }) => history),
    );
    return { boundMs: SILENCE_MS + MARGIN_MS + delayMs, histories };
  };
  const end = new AbortController();
  const running = Promise.all([
    faults.run(end.signal),
    ...clients.flat().map((client) => client.run(end.signal)),
    ...tenantIds.flatMap((tenantId) => workers.map((worker) => worker.load({ tenantId, seed: SEED }))),
  ]);
  const untilMs = performance.now() + forMs;
  do await sleep(Math.min(LOOK_EVERY_MS, untilMs - performance.now()));
  while (performance.now() < untilMs && !isEnough(await seen('look')));
  end.abort();
  await running;
  const all = await seen('finish');
  await faults.end();
  return { ...all, cuts: faults.cuts, lagChanges: faults.lagChanges };
}

/** Whether the run showed that each mechanism was missing from the cache of who had to do without it. */
function noticed({ histories, boundMs }: Seen): Record<string, boolean> {
  const entries = MECHANISMS.map((mechanism, index): [string, boolean] => {
    const rule = `${BROKEN_RULES[mechanism]}:`;
    return [mechanism, faultsIn(histories[index] ?? [], boundMs).some((fault) => fault.startsWith(rule))];
  });
  return Object.fromEntries(entries);
}

describe('the rules', () => {
  it.each(Object.keys(SOUND_HISTORIES))('let pass: %s', (name) => {
    expect(faultsIn(SOUND_HISTORIES[name] ?? [], BOUND_MS)).toEqual([]);
  });

  it.each(Object.keys(BROKEN_HISTORIES))('find what breaks one: %s', (name) => {
    const [rule] = name.split(':');
    const found = faultsIn(BROKEN_HISTORIES[name] ?? [], BOUND_MS).map((fault) => fault.split(':')[0]);
    expect(new Set(found)).toContain(rule);
  });
});

describe(`with two processes, a replica that lags by changing times and buses that are cut, for ${LOAD_MS} ms`, () => {
  it(
    'every read shows what it must, and nothing that was not written',
    async () => {
      const { cuts, lagChanges, boundMs, histories } = await load([SOUND_TENANT], LOAD_MS);
      const [history = []] = histories;
      const failed = history.flatMap(({ kind, how, failure }) =>
        failure === undefined ? [] : [`failed: ${kind} ${how}: ${failure}`],
      );
      const summary = summaryOf(history);
      // Without these nothing was put to the test.
      const lacking = Object.entries({
        hits: summary.hits < summary.reads / 4,
        'rows that lagged': summary.laggingRows < 20,
        'changes of the lag': lagChanges < LOAD_MS / 2_000,
        'cuts of buses': cuts < LOAD_MS / 5_000,
      }).flatMap(([what, isLacking]) => (isLacking ? [what] : []));
      // What the run was like is here to be printed; with its seed in the environment it can be had again.
      const run = { seed: SEED, ...summary, cuts, lagChanges, boundMs: Math.round(boundMs) };
      const broken = someOfEach([...faultsIn(history, boundMs), ...failed]);
      expect({ run, broken, lacking }).toEqual({ run, broken: [], lacking: [] });
    },
    LOAD_MS + 60_000,
  );

  it(
    `that a mechanism has been taken out of the cache is noticed: ${SURELY_NOTICED.join(', ')}`,
    async () => {
      await Promise.all(workers.map((worker) => worker.takeOut(BROKEN_TENANTS)));
      const tenantIds = MECHANISMS.map((mechanism) => BROKEN_TENANTS[mechanism]);
      const wanted = Object.fromEntries(SURELY_NOTICED.map((mechanism) => [mechanism, true]));
      const isNoticed = (soFar: Seen): boolean => SURELY_NOTICED.every((name) => noticed(soFar)[name]);
      const seen = await load(tenantIds, BROKEN_MS_MAX, isNoticed);
      const run = { seed: SEED, cuts: seen.cuts, boundMs: Math.round(seen.boundMs) };
      expect({ ...run, ...noticed(seen) }).toMatchObject({ ...run, ...wanted });
    },
    BROKEN_MS_MAX + 60_000,
  );
});
