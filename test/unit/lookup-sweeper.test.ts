import 'reflect-metadata';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { GatewayContext } from '../../src/common/gateway-context.js';
import { SILENT_LOG } from '../../src/common/log.js';
import { LookupSweeper } from '../../src/modules/accounts/lookup-sweeper.js';
import type { TenantDirectory } from '../../src/modules/tenants/tenant-directory.js';
import type { UniqueLookup } from '../../src/sharding/lookup/unique-lookup.js';

const ROUND_MS = 30_000;

let swept: string[];
let sweeper: LookupSweeper;

function sweepCurrentTenant(): Promise<object> {
  const { tenantId } = GatewayContext.require();
  swept.push(tenantId);
  if (tenantId === 'broken') return Promise.reject(new Error('its shard is away'));
  return Promise.resolve({ confirmed: 1, released: 0, unsettled: 0, missingShards: [] });
}

beforeEach(() => {
  jest.useFakeTimers();
  swept = [];
  const tenants = [
    { id: 'broken', status: 'active' },
    { id: 'asleep', status: 'suspended' },
    { id: 'acme', status: 'active' },
  ];
  sweeper = new LookupSweeper(
    { sweep: sweepCurrentTenant } as unknown as UniqueLookup,
    { list: () => tenants } as unknown as TenantDirectory,
    { log: SILENT_LOG },
  );
  sweeper.onApplicationBootstrap();
});

afterEach(() => {
  jest.useRealTimers();
});

describe('the sweeper of stale claims', () => {
  it('sweeps every active tenant in its own scope, also after one that fails', async () => {
    expect(swept).toEqual([]);
    await jest.advanceTimersByTimeAsync(ROUND_MS);
    expect(swept).toEqual(['broken', 'acme']);
  });

  it('goes on round after round', async () => {
    await jest.advanceTimersByTimeAsync(3 * ROUND_MS);
    expect(swept).toHaveLength(6);
  });

  it('ends with the application', async () => {
    await sweeper.onApplicationShutdown();
    await jest.advanceTimersByTimeAsync(2 * ROUND_MS);
    expect(swept).toEqual([]);
  });
});
