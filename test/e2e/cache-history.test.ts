import { randomInt } from 'node:crypto';
import { beforeAll, describe, expect, it } from '@jest/globals';
// First: the processes that it stops after the file must be gone before the cluster is.
import { GatewayWorker } from '../support/history/gateway-worker.js';
import { startOwnCluster } from '../support/cluster.js';
import { eventually } from '../support/eventually.js';
import { BOUND_MS, BROKEN_HISTORIES, SOUND_HISTORIES } from '../support/history/broken-histories.js';
import { cellsOf } from '../support/history/cell.js';
import { faultsIn, someOfEach, summaryOf } from '../support/history/check-history.js';
import { Faults } from '../support/history/faults.js';
import type { OperationRecord, ReadRecord } from '../support/history/records.js';
import { RoamingClient } from '../support/history/roaming-client.js';

/** How long the load goes on, ms. `npm run test:soak` goes on for longer. */
const LOAD_MS = Number(process.env.SHARDGATE_TEST_HISTORY_MS ?? 10_000);
/** Of all chance; a run that fails says it. */
const SEED = Number(process.env.SHARDGATE_TEST_HISTORY_SEED ?? randomInt(2 ** 31));

/** Entries of a shard are not served when its notices have not been heard for so long: `src/cache/bus`. */
const SILENCE_MS = 1_500;
/** A batch waits for the answer to the one before; a busy server takes its time for that. */
const MARGIN_MS = 250;

let workers: readonly GatewayWorker[];
let faults: Faults;

beforeAll(async () => {
  const cluster = await startOwnCluster({ shards: 1, replicas: 1 });
  // One after the other: the first applies the migrations.
  const first = await GatewayWorker.start('first', cluster.config);
  const second = await GatewayWorker.start('second', cluster.config);
  workers = [first, second];
  const ids = await first.makeCells();
  for (const worker of workers) {
    await worker.meetCells(ids);
    await eventually('the cache answers', async () => {
      const record = (await worker.perform('nobody', {
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
  faults = await Faults.prepare(cluster, SEED);
}, 90_000);

async function load(): Promise<{ history: readonly OperationRecord[]; delayMs: number }> {
  const roaming = cellsOf('quiet').map(
    (owned, index) =>
      new RoamingClient(`roaming.${index}`, { workers, faults }, { seed: SEED + 3_000 + index, owned }),
  );
  await Promise.all(workers.map((worker) => worker.load({ seed: SEED, forMs: LOAD_MS })));
  const [roamed] = await Promise.all([
    Promise.all(roaming.map((client) => client.run(LOAD_MS))),
    faults.run(LOAD_MS),
  ]);
  const finished = await Promise.all(workers.map((worker) => worker.finish()));
  await faults.end();
  return {
    history: [...roamed.flat(), ...finished.flatMap(({ history }) => history)],
    delayMs: Math.max(...finished.map(({ delayMs }) => delayMs)),
  };
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
      const { history, delayMs } = await load();
      const boundMs = SILENCE_MS + MARGIN_MS + delayMs;
      const failed = history.flatMap(({ kind, how, failure }) =>
        failure === undefined ? [] : [`failed: ${kind} ${how}: ${failure}`],
      );
      const summary = summaryOf(history);
      const { cuts, lagChanges } = faults;
      // Without these nothing was put to the test.
      const lacking = Object.entries({
        hits: summary.hits < summary.reads / 3,
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
});
