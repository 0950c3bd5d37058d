import { afterEach, describe, expect, it } from '@jest/globals';
import type { GatheredWrites, WrittenBefore } from '../../src/cache/bus/write-notice.js';
import { CommitWrites } from '../../src/cache/strict/commit-writes.js';
import {
  LogFollower,
  type PrimaryAnswer,
  type PrimaryQuestion,
} from '../../src/cache/strict/log-follower.js';
import { ServerSnapshot } from '../../src/cache/strict/server-snapshot.js';
import { eventually } from '../support/eventually.js';

const HISTORY = { systemIdentifier: '7', timeline: 1 };
const WRAPPED = 2n ** 32n;

/** A follower, the primary that it asks, and what became of what it was told. */
class Scene {
  nowMs = 0;
  /** What the primary shows. */
  snapshot = '100:100:';
  /** Where the log ends. */
  mark = 1_000n;
  history = HISTORY;
  isAway = false;
  readonly asked: PrimaryQuestion[] = [];
  readonly told: { writes: GatheredWrites | 'gap'; position?: WrittenBefore; isOver: boolean }[] = [];
  readonly follower = new LogFollower(
    {
      ask: (question) => this.#answer(question),
      onWrites: (writes, position) => this.#begin({ writes, position, isOver: false }),
      onGap: () => this.#begin({ writes: 'gap', isOver: false }),
      onBeat: () => undefined,
    },
    { now: () => this.nowMs, beatMs: 20, againMs: 1 },
  );

  /** Writes one row and commits. */
  commit(xid: number, lsn: bigint): void {
    this.follower.changed({ table: 'a.b', rows: [{ tenantId: 'acme', id: `${xid}` }] });
    this.follower.committed(xid, lsn);
  }

  async untilAskedAgain(): Promise<void> {
    const before = this.asked.length;
    // The second question after this was asked after everything up to here.
    await eventually('it is asked', () => this.asked.length >= before + 2);
  }

  async start(): Promise<void> {
    this.follower.started(this.history);
    await eventually('the gap is over', () => this.told[0]?.isOver);
    this.told.splice(0);
  }

  #answer(question: PrimaryQuestion): Promise<PrimaryAnswer> {
    this.asked.push(question);
    if (this.isAway) return Promise.reject(new Error('away'));
    return Promise.resolve({
      ...this.history,
      snapshot: this.snapshot,
      mark: question === 'mark' ? this.mark : undefined,
      horizon: question === 'horizon' ? 100n : undefined,
    });
  }

  #begin(told: Scene['told'][number]): () => void {
    this.told.push(told);
    return () => {
      told.isOver = true;
    };
  }
}

const scenes: Scene[] = [];

function newScene(): Scene {
  const scene = new Scene();
  scenes.push(scene);
  return scene;
}

afterEach(() => {
  for (const { follower } of scenes.splice(0)) follower.lost();
});

describe('a commit that the log tells of', () => {
  it('is held until the primary shows it, and lies before the end of its record', async () => {
    const scene = newScene();
    await scene.start();
    scene.snapshot = '100:106:102,105';
    scene.commit(105, 5_000n);
    scene.commit(103, 5_100n);
    scene.commit(107, 5_200n);
    await scene.untilAskedAgain();
    expect(scene.told).toEqual([
      {
        writes: [
          {
            tenantId: 'acme',
            position: undefined,
            rows: [{ table: 'a.b', ids: ['105'] }],
          },
        ],
        position: { timeline: 1, lsn: 5_000n },
        isOver: false,
      },
      expect.objectContaining({ position: { timeline: 1, lsn: 5_100n }, isOver: true }),
      expect.objectContaining({ position: { timeline: 1, lsn: 5_200n }, isOver: false }),
    ]);
    scene.snapshot = '108:108:';
    await eventually('all are shown', () => scene.told.every(({ isOver }) => isOver));
  });

  it('is held while the primary does not answer, or another server does', async () => {
    const scene = newScene();
    await scene.start();
    scene.snapshot = '110:110:';
    scene.isAway = true;
    scene.commit(105, 5_000n);
    await scene.untilAskedAgain();
    scene.isAway = false;
    scene.history = { ...HISTORY, systemIdentifier: '8' };
    await scene.untilAskedAgain();
    expect(scene.told).toEqual([expect.objectContaining({ isOver: false })]);
    scene.history = HISTORY;
    await eventually('it is shown', () => scene.told[0]?.isOver);
  });

  it('is one of so many that they are waited for together', async () => {
    const scene = newScene();
    await scene.start();
    scene.snapshot = '90:100:90';
    for (let xid = 1; xid <= 1_001; xid += 1) scene.commit(100 + xid, BigInt(5_000 + xid));
    const open = scene.told.filter(({ isOver }) => !isOver);
    expect(open.map(({ writes }) => (writes === 'gap' ? 'gap' : 'writes'))).toEqual(['gap', 'writes']);
    await scene.untilAskedAgain();
    expect(open[0]?.isOver).toBe(false);
    scene.snapshot = '2000:2000:';
    await eventually('all are shown', () => scene.told.every(({ isOver }) => isOver));
  });
});

describe('a stream', () => {
  it('is heard only when a mark has come back through it, and only for so long', async () => {
    const scene = newScene();
    await scene.start();
    expect(scene.follower.isHeard).toBe(false);
    scene.follower.reached(999n);
    expect(scene.follower.isHeard).toBe(false);
    scene.follower.reached(1_000n);
    expect(scene.follower.isHeard).toBe(true);
    // Whatever the log tells, it is behind.
    scene.nowMs = 1_400;
    scene.mark = 9_000n;
    await scene.untilAskedAgain();
    scene.follower.reached(8_999n);
    scene.commit(105, 8_999n);
    expect(scene.follower.isHeard).toBe(true);
    scene.nowMs = 1_501;
    expect(scene.follower.isHeard).toBe(false);
    scene.follower.reached(9_000n);
    expect(scene.follower.isHeard).toBe(true);
  });

  it('begins with a gap that lasts until all that may have been written before is shown', async () => {
    const scene = newScene();
    scene.snapshot = '99:101:99';
    scene.follower.started(HISTORY);
    await scene.untilAskedAgain();
    await eventually('a transaction was named', () => scene.asked.includes('horizon'));
    await scene.untilAskedAgain();
    expect(scene.told).toEqual([{ writes: 'gap', isOver: false }]);
    scene.snapshot = '100:101:';
    await eventually('it is over', () => scene.told[0]?.isOver);
  });

  it('that is lost is not heard, nor is what it told last counted as the next one’s', async () => {
    const scene = newScene();
    await scene.start();
    scene.follower.reached(1_000n);
    scene.follower.changed({ table: 'a.b', rows: [{ tenantId: 'acme', id: 'half' }] });
    scene.follower.lost();
    expect(scene.follower.isHeard).toBe(false);
    await scene.start();
    expect(scene.follower.isHeard).toBe(false);
    scene.commit(50, 2_000n);
    expect(JSON.stringify(scene.told[0]?.writes)).not.toContain('half');
  });
});

describe('a snapshot of the primary', () => {
  it('says which transactions are over, also when their numbers have begun anew', () => {
    const snapshot = ServerSnapshot.parse(`${WRAPPED - 2n}:${WRAPPED + 3n}:${WRAPPED - 2n},${WRAPPED + 1n}`);
    const over = [-5n, -2n, -1n, 0n, 1n, 2n, 3n, 7n].filter((xid) =>
      snapshot.isOver(Number((WRAPPED + xid) % WRAPPED)),
    );
    expect(over).toEqual([-5n, -1n, 0n, 2n]);
  });
});

describe('what a transaction wrote', () => {
  it('is told row by row, of both the old and the new', () => {
    const writes = new CommitWrites();
    writes.add({
      table: 'a.b',
      rows: [
        { tenantId: 'acme', id: '1' },
        { tenantId: 'globex', id: '1' },
      ],
    });
    writes.add({ table: 'a.c', rows: [{ tenantId: 'acme', id: undefined }] });
    expect(writes.take()).toEqual([
      {
        tenantId: 'acme',
        rows: [
          { table: 'a.b', ids: ['1'] },
          { table: 'a.c', ids: undefined },
        ],
      },
      { tenantId: 'globex', rows: [{ table: 'a.b', ids: ['1'] }] },
    ]);
    expect(writes.take()).toEqual([]);
  });

  it('is everything where a row names no tenant, or tables are emptied', () => {
    const writes = new CommitWrites();
    writes.add({ table: 'a.b', rows: [{ tenantId: undefined, id: '1' }] });
    expect(writes.take()).toBe('everything');
    writes.add('everything');
    expect(writes.take()).toBe('everything');
  });

  it('takes no more room however much it is', () => {
    const writes = new CommitWrites();
    for (let id = 0; id < 100_000; id += 1)
      writes.add({ table: 'a.b', rows: [{ tenantId: 'acme', id: `${id}` }] });
    expect(writes.take()).toEqual([{ tenantId: 'acme', rows: [{ table: 'a.b', ids: undefined }] }]);
  });
});
