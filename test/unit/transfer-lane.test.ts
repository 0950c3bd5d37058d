import { describe, expect, it } from '@jest/globals';
import { GatewayContext } from '../../src/common/gateway-context.js';
import type { BatchPlace } from '../../src/modules/transfers/batches/batch-place.js';
import type { LockMode } from '../../src/modules/transfers/batches/batch-reads.js';
import type { LaneAnswer, TransferJob } from '../../src/modules/transfers/batches/transfer-job.js';
import type { TransferCommand } from '../../src/modules/transfers/decisions/transfer-command.js';
import { Lane } from '../../src/modules/transfers/lanes/lane.js';
import { TransferLanes } from '../../src/modules/transfers/lanes/transfer-lanes.js';

const DONE: LaneAnswer = { kind: 'elsewhere', accountId: 'done' };

function command(transferId: string, homeShardId = 's0'): TransferCommand {
  return {
    kind: 'void',
    transferId,
    homeShardId,
    homeBucket: 0,
    userId: undefined,
    actor: 'test',
    idempotency: undefined,
    subMinorUnits: false,
  };
}

interface Batch {
  readonly tenantId: string;
  readonly shardIds: readonly string[];
  readonly ids: readonly string[];
  readonly mode: LockMode;
  /** Ends it. @param held those that are given back */
  readonly end: (held?: readonly string[]) => Promise<void>;
}

/** Lanes whose batches end when the test says so. */
function lanes() {
  const batches: Batch[] = [];
  const run = ({ tenantId, shardIds }: BatchPlace, jobs: readonly TransferJob[], mode: LockMode) =>
    new Promise<readonly TransferJob[]>((resolve) => {
      const idOf = (job: TransferJob): string => ('transferId' in job.command ? job.command.transferId : '');
      const end = async (held: readonly string[] = []): Promise<void> => {
        for (const job of jobs) if (!held.includes(idOf(job))) job.resolve(DONE);
        resolve(jobs.filter((job) => held.includes(idOf(job))));
        await turn();
      };
      batches.push({ tenantId, shardIds, ids: jobs.map(idOf), mode, end });
    });
  const all = new TransferLanes(run);
  const submit = (id: string, tenantId = 'acme', home = 's0', other = home) =>
    GatewayContext.run({ tenantId, actor: 'test' }, () => all.submit(command(id, home), other));
  return { batches, submit };
}

/** Everything that is due now has happened. */
async function turn(): Promise<void> {
  for (let round = 0; round < 3; round += 1) await new Promise((resolve) => setImmediate(resolve));
}

describe('a lane', () => {
  it('takes requests of one turn together, and those that come meanwhile next', async () => {
    const { batches, submit } = lanes();
    const first = [submit('a'), submit('b')];
    await turn();
    expect(batches.map(({ ids }) => ids)).toEqual([['a', 'b']]);
    const next = [submit('c'), submit('d')];
    await turn();
    expect(batches).toHaveLength(1);
    await batches[0]!.end();
    expect(batches.map(({ ids }) => ids)).toEqual([
      ['a', 'b'],
      ['c', 'd'],
    ]);
    await batches[1]!.end();
    expect(await Promise.all([...first, ...next])).toEqual([DONE, DONE, DONE, DONE]);
  });

  it('takes at most 200 at once', async () => {
    const { batches, submit } = lanes();
    const all = Array.from({ length: 201 }, (_, index) => submit(String(index)));
    await turn();
    expect(batches[0]?.ids).toHaveLength(200);
    await batches[0]!.end();
    expect(batches[1]?.ids).toEqual(['200']);
    await batches[1]!.end();
    await Promise.all(all);
  });

  it('refuses at once what it has no room for', async () => {
    const { batches, submit } = lanes();
    const kept = Array.from({ length: 5_000 }, (_, index) => submit(String(index)));
    await expect(submit('late')).rejects.toMatchObject({ code: 'overloaded', retryAfterSeconds: 1 });
    await turn();
    for (const batch of batches) await batch.end();
    await Promise.all(kept);
  });

  it('sets aside what is held, waits for no lock meanwhile, and tries it again', async () => {
    const { batches, submit } = lanes();
    const held = submit('held');
    await turn();
    expect(batches[0]?.mode).toBe('wait');
    await batches[0]!.end(['held']);
    const free = submit('free');
    await turn();
    expect(batches[1]).toMatchObject({ ids: ['free'], mode: 'skip' });
    await batches[1]!.end();
    await free;
    while (batches.length < 3) await turn();
    expect(batches[2]).toMatchObject({ ids: ['held'], mode: 'skip' });
    await batches[2]!.end();
    await held;
    const later = submit('later');
    await turn();
    expect(batches[3]?.mode).toBe('wait');
    await batches[3]!.end();
    await later;
  });

  it('gives up what is held for longer than its deadline', async () => {
    let now = 0;
    const lane = new Lane(
      { runBatch: (jobs) => Promise.resolve(jobs), inTurn: (work) => work(), onIdle: () => undefined },
      () => now,
    );
    const outcome = new Promise((resolve, reject) => {
      const { scope, trace } = GatewayContext.run({ tenantId: 'acme', actor: 'test' }, () =>
        GatewayContext.active(),
      );
      lane.add({ command: command('held'), scope, trace, deadlineMs: 10, resolve, reject });
    });
    await turn();
    now = 10;
    await expect(outcome).rejects.toMatchObject({ code: 'overloaded' });
  });
});

describe('the lane of two shards', () => {
  it('is one, whichever way the money goes, and its batches lock in the order of the shards', async () => {
    const { batches, submit } = lanes();
    const all = [submit('there', 'acme', 's0', 's1'), submit('back', 'acme', 's1', 's0')];
    await turn();
    expect(batches).toMatchObject([{ shardIds: ['s0', 's1'], ids: ['there', 'back'] }]);
    await batches[0]!.end();
    expect(await Promise.all(all)).toEqual([DONE, DONE]);
  });
});

describe('the lanes of one shard', () => {
  it('take turns: a tenant that floods waits behind its own', async () => {
    const { batches, submit } = lanes();
    const floods = ['a', 'b', 'c', 'd', 'e'];
    const flooding = floods.flatMap((tenantId) =>
      Array.from({ length: 401 }, (_, index) => submit(String(index), tenantId)),
    );
    await turn();
    expect(batches.map(({ tenantId }) => tenantId)).toEqual(floods);
    const modest = submit('one', 'modest');
    await turn();
    expect(batches).toHaveLength(5);
    await batches[0]!.end();
    expect(batches[5]?.tenantId).toBe('modest');
    for (const batch of batches) await batch.end();
    await Promise.all([...flooding, modest]);
  });
});
