import { describe, expect, it } from '@jest/globals';
import { startOwnCluster } from '../support/cluster.js';
import { eventually } from '../support/eventually.js';
import { GatewayProcess, OPERATOR_KEY } from '../support/gateway-process.js';

interface Readiness {
  status: string;
  catalog: { state: string };
  shards: { id: string; state: string }[];
}

describe('health', () => {
  it('follows what is away and what is back, and the rest goes on', async () => {
    const cluster = await startOwnCluster({ shards: 2, replicas: 1 });
    const gateway = await GatewayProcess.start({ config: cluster.config });
    const ready = async (): Promise<[number, Readiness]> => {
      const answer = await gateway.request('/health/ready');
      return [answer.status, (await answer.json()) as Readiness];
    };
    const awaitStatus = (code: number, status: string): Promise<Readiness> =>
      eventually(`${code} ${status}`, async () => {
        const [actual, body] = await ready();
        return actual === code && body.status === status && body;
      });

    expect(await ready()).toEqual([
      200,
      {
        status: 'ok',
        catalog: { state: 'up' },
        shards: [
          { id: 's0', state: 'up' },
          { id: 's1', state: 'up' },
        ],
      },
    ]);

    await cluster.hold('s0.r1');
    expect((await awaitStatus(200, 'degraded')).shards[0]).toMatchObject({ id: 's0', state: 'degraded' });
    await cluster.hold('s0');
    await eventually('s0 is down', async () => (await ready())[1].shards[0]?.state === 'down');
    expect((await ready())[0]).toBe(200);
    await cluster.hold('s1');
    await awaitStatus(503, 'unavailable');
    const shards = await gateway.request('/v1/admin/shards', { key: OPERATOR_KEY });
    expect(
      ((await shards.json()) as { items: { primary: object }[] }).items.map(({ primary }) => primary),
    ).toEqual(Array(2).fill({ state: 'down', reason: 'cannot be reached' }));

    await cluster.release('s0');
    await cluster.release('s1');
    await cluster.release('s0.r1');
    await awaitStatus(200, 'ok');

    await cluster.hold('catalog');
    expect((await awaitStatus(503, 'unavailable')).catalog.state).toBe('down');
    expect((await gateway.request('/health/live')).status).toBe(200);
    await cluster.release('catalog');
    await awaitStatus(200, 'ok');
    expect(await gateway.stop()).toBe(0);
  }, 120_000);
});
