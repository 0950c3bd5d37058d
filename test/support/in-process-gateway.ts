import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { pino } from 'pino';
import { AppModule } from '../../src/app.module.js';
import { AccountsModule } from '../../src/modules/accounts/accounts.module.js';
import { TransactionsModule } from '../../src/modules/transactions/transactions.module.js';
import { createHttpApplication } from '../../src/modules/http/http-application.js';
import type { ClusterConfig } from '../../src/sharding/cluster/cluster-config.js';

export async function startInProcess(config: ClusterConfig) {
  const log = pino({ level: process.env['LOG_LEVEL'] ?? 'warn' });
  const operatorKey = 'operator-key-of-tests';
  @Module({ imports: [AppModule.with({ ...config, log } as never, { log, operatorKey }), AccountsModule, TransactionsModule] })
  class TestModule {}
  const app = await createHttpApplication({ module: TestModule, log, version: '0' });
  app.enableShutdownHooks();
  await app.listen(0, '127.0.0.1');
  return { url: await app.getUrl(), operatorKey, stop: () => app.close() };
}
