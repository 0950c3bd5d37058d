import { SILENT_LOG } from '../../src/common/log.js';
import { resolveGatewayOptions } from '../../src/gateway/gateway-options.js';
import { NodeDirectory } from '../../src/sharding/connections/node-directory.js';
import { Router } from '../../src/sharding/routing/router.js';
import { BucketHasher } from '../../src/sharding/topology/bucket.js';
import { ShardMap } from '../../src/sharding/topology/shard-map.js';
import { BENCH_TENANT } from '../bank/bench-bank.js';
import type { Benchmark, Comparison, Subject } from '../harness/benchmark.js';
import { WrongAnswerError } from '../harness/wrong-answer.js';

const FEW_SHARDS = 2;
const MANY_SHARDS = 1_024;
const USERS = 4_096;

/** Routes per turn, so that the clock is not what is measured. */
const CALLS_PER_TURN = 1_000;

/** No more than a microsecond each. */
const ONE_MICROSECOND = { label: '1 µs per call', p50Ms: 0.001 };

/**
 * The work is the same. What 1,024 shards take longer, some 40 ns, is most likely that their names and nodes
 * do not fit into the processor's first cache; work that grew with their number would show as far more.
 */
const SAME = 0.75;

const MODULO = 'user_id % 2';

/** From a user to the pool of connections of that user's primary. Needs no servers: nothing is connected. */
export const routingBenchmark: Benchmark = {
  name: 'routing',
  summary: `from a user to bucket, shard and connections, with ${FEW_SHARDS} and ${MANY_SHARDS} shards`,
  async open() {
    const few = await openRouting(FEW_SHARDS);
    const many = await openRouting(MANY_SHARDS);
    const comparisons = [few.subject.name, many.subject.name].flatMap((subject): Comparison[] => [
      { subject, against: ONE_MICROSECOND, atLeast: 1 },
      { subject, against: MODULO, by: 'p50' },
    ]);
    comparisons.push({ subject: many.subject.name, against: few.subject.name, by: 'p50', atLeast: SAME });
    const subjects = [few.subject, many.subject, moduloSubject(few.nodes)];
    return {
      cases: [{ name: 'a user', callers: 1, subjects, comparisons }],
      settings: { users: USERS },
      versions: {},
      close: async () => {
        await Promise.all([few.nodes.close(), many.nodes.close()]);
      },
    };
  },
};

async function openRouting(shards: number): Promise<{ nodes: NodeDirectory; subject: Subject }> {
  const shardIds = Array.from({ length: shards }, (_, index) => `s${index}`);
  const addresses = shardIds.map((id) => ({
    id,
    primary: { url: 'postgresql://nobody:nothing@127.0.0.1:1/none' },
    replicas: [],
  }));
  const { pool } = resolveGatewayOptions({ catalog: { url: 'postgresql://nowhere' }, shards: addresses });
  const nodes = await NodeDirectory.create(addresses, pool, [], SILENT_LOG);
  // As from the catalog: its names of shards are not the very strings of the configuration.
  const map = ShardMap.fromRecord(JSON.parse(JSON.stringify(ShardMap.initial(shardIds).toRecord())));
  const hasher = await BucketHasher.create();
  const router = new Router(hasher, () => map);
  const users = Array.from({ length: USERS }, (_, index) => {
    const userId = `user-${index}`;
    const bucket = hasher.bucketOf(BENCH_TENANT, userId);
    return { userId, node: nodes.primary(map.shardOf({ tenantId: BENCH_TENANT, bucket })) };
  });
  const name = `shardgate, ${shards.toLocaleString('en-US')} shards`;
  const subject = subjectOf(name, true, users, ({ userId }) => {
    return nodes.primary(router.forUser({ tenantId: BENCH_TENANT, userId }).shardId);
  });
  return { nodes, subject };
}

/** What one writes without a gateway: two pools, and no way to a third. */
function moduloSubject(nodes: NodeDirectory): Subject {
  const pair = nodes.all();
  const users = Array.from({ length: USERS }, (_, userId) => ({ userId, node: pair[userId % 2] }));
  return subjectOf(MODULO, false, users, ({ userId }) => pair[userId % 2]);
}

/** Every answer is compared; the comparison is part of the time, and the same for all. */
function subjectOf<User extends { readonly node: unknown }>(
  name: string,
  isOurs: boolean,
  users: readonly User[],
  route: (user: User) => unknown,
): Subject {
  return {
    name,
    isOurs,
    callsPerTurn: CALLS_PER_TURN,
    turnOf: () => {
      let position = 0;
      return () => {
        for (let call = 0; call < CALLS_PER_TURN; call += 1) {
          position = (position + 1) % users.length;
          const user = users[position];
          if (user === undefined || route(user) !== user.node) {
            return Promise.reject(new WrongAnswerError('a route to another shard'));
          }
        }
        return Promise.resolve();
      };
    },
  };
}
