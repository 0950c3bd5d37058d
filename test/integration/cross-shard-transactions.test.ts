import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ownDatabases } from '../support/own-databases.js';
import { TestConnection } from '../support/scratch-shards.js';
import { Purse } from '../support/two-phase/purse.js';
import { PurseGateway } from '../support/two-phase/purse-world.js';

let bank: PurseGateway;
let admins: readonly TestConnection[];

beforeAll(async () => {
  const config = await ownDatabases();
  bank = await PurseGateway.start(config, { coordinator: { recordsKeptMs: 50 } });
  admins = await Promise.all(config.shards.map(({ primary }) => TestConnection.open(primary.adminUrl)));
}, 60_000);

afterAll(async () => {
  await bank.close();
});

describe('gateway.crossShardTransaction', () => {
  it('keeps what it does on both shards', async () => {
    const [from, to] = [await bank.open('s0', 10), await bank.open('s1', 0)];
    await bank.move(from, to, 4);
    expect(await bank.units(from, to)).toEqual([6, 4]);
    await bank.move(to, from, 1);
    expect(await bank.units(from, to)).toEqual([7, 3]);
    expect(admins).toHaveLength(2);
  });

  it('keeps nothing anywhere when its function throws', async () => {
    const [from, to] = [await bank.open('s0', 10), await bank.open('s1', 0)];
    const failed = bank.together([from, to], async (tx) => {
      await tx.forUser(from.userId).getRepository(Purse).update(from.id, { units: 1 });
      await tx.forUser(to.userId).getRepository(Purse).update(to.id, { units: 9 });
      throw new Error('no');
    });
    await expect(failed).rejects.toThrow('no');
    expect(await bank.units(from, to)).toEqual([10, 0]);
  });
});
