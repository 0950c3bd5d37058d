/**
 * The direction of imports, as the README draws it:
 * common <- { sharding, cache, persistence } <- gateway <- modules <- composition.
 */
const only = (name, from, allowed, comment) => ({
  name,
  severity: 'error',
  comment,
  from: { path: from },
  to: { path: '^src/', pathNot: allowed },
});

module.exports = {
  forbidden: [
    only('common-imports-nothing', '^src/common/', '^src/common/', 'common is the floor of the house'),
    only('sharding-direction', '^src/sharding/', '^src/(common|sharding)/'),
    only('cache-direction', '^src/cache/', '^src/(common|cache)/'),
    only('persistence-direction', '^src/persistence/', '^src/(common|persistence)/'),
    only('gateway-direction', '^src/gateway/', '^src/(common|sharding|cache|persistence|gateway)/'),
    only(
      'modules-direction',
      '^src/modules/',
      '^src/(common|persistence|gateway|modules)/|^src/sharding/(lookup|topology)/|^src/sharding/(replication/consistency-token|scatter-gather/keyset-cursor)',
      'modules speak to the gateway, not to shards',
    ),
    only('topology-direction', '^src/sharding/topology/', '^src/(common|sharding/topology)/'),
    only('routing-direction', '^src/sharding/routing/', '^src/(common|sharding/(topology|routing))/'),
    only(
      'connections-direction',
      '^src/sharding/connections/',
      '^src/(common|sharding/(topology|routing|connections))/',
    ),
    only(
      'upper-sharding-direction',
      '^src/sharding/(replication|tenant-roles|scatter-gather|migrations|transactions)/',
      '^src/(common|sharding/(topology|routing|connections|replication|tenant-roles|scatter-gather|migrations|transactions))/',
    ),
    {
      name: 'pure-core',
      severity: 'error',
      comment: 'decisions are pure: no framework in topology, routing and the cache core',
      from: { path: '^src/(common|sharding/(topology|routing)|cache)/' },
      to: { path: '^node_modules/(@nestjs|typeorm|pg)/' },
    },
    {
      name: 'no-cycles',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'cluster-stays-optional',
      severity: 'error',
      comment: 'the embedded cluster is never in the import path of production',
      from: { path: '^src/', pathNot: '^src/(cli|sharding/cluster)/' },
      to: { path: '^src/sharding/cluster/', dependencyTypesNot: ['dynamic-import', 'type-only'] },
    },
    {
      name: 'no-unresolved',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
  ],
  options: {
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    doNotFollow: { path: 'node_modules' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['node', 'import', 'default'] },
  },
};
