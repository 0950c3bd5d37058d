import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { pino } from 'pino';
import { AppModule } from '../../src/app.module.js';
import { TransactionsModule } from '../../src/modules/transactions/transactions.module.js';
import { createHttpApplication } from '../../src/modules/http/http-application.js';

async function main() {
  const config = JSON.parse(process.env['CONFIG'] ?? '{}');
  const log = pino({ level: process.env['LOG_LEVEL'] ?? 'warn' }, pino.destination(2));
  const operatorKey = 'operator-key-of-tests';
  class TestModule {}
  Module({
    imports: [AppModule.with({ ...config, log } as never, { log, operatorKey }), TransactionsModule],
  })(TestModule);
  const app = await createHttpApplication({ module: TestModule, log, version: '0' });
  app.enableShutdownHooks();
  await app.listen(0, '127.0.0.1');
  process.stdout.write(JSON.stringify({ url: await app.getUrl() }) + '\n');
}
main().catch((e) => {
  console.error(e);
  process.exit(1);
});
