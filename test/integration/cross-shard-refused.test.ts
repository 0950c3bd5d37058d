import { expect, it } from '@jest/globals';
import { startOwnCluster } from '../support/cluster.js';
import { PurseGateway } from '../support/two-phase/purse-world.js';

it('refuses transactions over several shards where a server prepares none, and says what to set', async () => {
  const settings = { max_prepared_transactions: '0' };
  const { config } = await startOwnCluster({ shards: 2, replicas: 0, settings });
  const bank = await PurseGateway.start(config);
  try {
    const [from, to] = [await bank.open('s0', 5), await bank.open('s1', 5)];
    await expect(bank.move(from, to, 1)).rejects.toMatchObject({
      code: 'two_phase_unavailable',
      message: expect.stringMatching(/s1 .*max_prepared_transactions/),
    });
    expect(await bank.units(from, to)).toEqual([5, 5]);
  } finally {
    await bank.close();
  }
}, 60_000);
