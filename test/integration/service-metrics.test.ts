import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import { register as globalRegistry, Registry, type OpenMetricsContentType } from 'prom-client';
import { DataGatewayModule, GatewayMetrics } from '../../src/index.js';
import { MetricsModule } from '../../src/modules/metrics/metrics.module.js';
import { readExposition, type ExposedMetric } from '../support/exposition.js';
import { ownDatabases } from '../support/own-databases.js';

type Metrics = ReadonlyMap<string, ExposedMetric>;

/** Closed when the file is done. */
const running: { close(): Promise<void> }[] = [];

afterAll(async () => {
  await Promise.all(running.map((application) => application.close()));
});

describe('two applications with metrics in one process', () => {
  let applications: NestFastifyApplication[];

  beforeAll(async () => {
    const configs = [await ownDatabases(), await ownDatabases()];
    applications = await Promise.all(
      configs.map(async (config) => {
        const imports = [DataGatewayModule.forRoot(config), MetricsModule];
        const module = await Test.createTestingModule({ imports }).compile();
        const application = module.createNestApplication<NestFastifyApplication>(new FastifyAdapter());
        running.push(application);
        await application.listen(0, '127.0.0.1');
        return application;
      }),
    );
  }, 60_000);

  const metricsOf = async (application: NestFastifyApplication): Promise<Metrics> =>
    readExposition(await (await fetch(`${await application.getUrl()}/metrics`)).text());

  const scrapesOf = (metrics: Metrics): number | undefined =>
    metrics
      .get('shardgate_http_request_duration_seconds')
      ?.samples.find(({ name, labels }) => name.endsWith('_count') && labels.route === '/metrics')?.value;

  it('have the same metrics, each its own values', async () => {
    const [first, second] = applications as [NestFastifyApplication, NestFastifyApplication];
    for (let scrape = 0; scrape < 3; scrape += 1) await metricsOf(first);
    await metricsOf(second);
    const [ofFirst, ofSecond] = [await metricsOf(first), await metricsOf(second)];
    expect([...ofFirst.keys()]).toEqual([...ofSecond.keys()]);
    expect([scrapesOf(ofFirst), scrapesOf(ofSecond)]).toEqual([3, 1]);
  });

  it("leave prom-client's global registry alone", () => {
    expect(globalRegistry.getMetricsAsArray()).toEqual([]);
  });
});

describe('an application without the HTTP service', () => {
  it('has the metrics of the gateway in registries of its own, of either format', async () => {
    const imports = [DataGatewayModule.forRoot(await ownDatabases())];
    const application = await Test.createTestingModule({ imports }).compile();
    running.push(application);
    const metrics = application.get(GatewayMetrics);
    const plain = new Registry();
    const open = new Registry<OpenMetricsContentType>();
    open.setContentType(Registry.OPENMETRICS_CONTENT_TYPE);
    metrics.register(plain);
    metrics.register(open);
    const names = [...readExposition(await plain.metrics()).keys()];
    expect(names).toEqual(expect.arrayContaining(['shardgate_cache_hits_total', 'shardgate_node_state']));
    expect(names.filter((name) => !name.startsWith('shardgate_'))).toEqual([]);
    const text = await open.metrics();
    expect(text).toContain('# TYPE shardgate_cache_hits counter\nshardgate_cache_hits_total 0\n');
    expect(text.endsWith('# EOF\n')).toBe(true);
    expect(() => {
      metrics.register(plain);
    }).toThrow('already been registered');
  }, 60_000);
});
