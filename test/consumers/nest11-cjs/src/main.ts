import 'reflect-metadata';
import type { INestApplicationContext, Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Decimal } from 'decimal.js';
import { DataGateway, GatewayContext, GatewayError, ScopeMissingError, ValidationError } from 'shardgate';
import { DataSource, QueryFailedError } from 'typeorm';
import { AppModule } from './app.module';
import { AsyncAppModule, FirstShard } from './async-app.module';
import { CustomersService } from './customers.service';
import { loadedPackages } from './loaded-packages';

const TENANT = 'acme';
const ACTOR = 'customers-service';

/** Acts for a user of the tenant. */
function as<T>(userId: string, fn: () => Promise<T>): Promise<T> {
  return GatewayContext.run({ tenantId: TENANT, userId, actor: ACTOR }, fn);
}

/** A user of the tenant who lives on this shard. */
function userOn(shardId: string, gateway: DataGateway): string {
  for (let number = 0; ; number += 1) {
    const userId = `user-${number}`;
    if (gateway.route({ tenantId: TENANT, userId }).shardId === shardId) return userId;
  }
}

async function withApp<T>(module: Type, use: (app: INestApplicationContext) => Promise<T>): Promise<T> {
  const app = await NestFactory.createApplicationContext(module, { logger: false, abortOnError: false });
  try {
    return await use(app);
  } finally {
    await app.close();
  }
}

async function workWithCustomers(app: INestApplicationContext): Promise<object> {
  const service = app.get(CustomersService);
  const gateway = app.get(DataGateway);
  const [left, right] = [userOn('s0', gateway), userOn('s1', gateway)];

  const placedAt = new Date('2026-01-31T12:00:00.000Z');
  const first = { article: 'lamp', total: new Decimal('0.1'), placedAt };
  const ada = await as(left, () => service.register('Ada', new Decimal('100.5'), [first]));
  await as(right, () => service.register('Bea', new Decimal('20')));

  const placed = await as(left, () => service.placeOrder(ada.id, 'desk', new Decimal('0.2')));
  const refused = await as(left, () => service.placeOrder(ada.id, 'house', new Decimal('9999'))).catch(
    (error: unknown) => (error as Error).message,
  );

  const [found] = await as(left, () => service.mine());
  const small = await as(left, () => service.ordersUpTo(new Decimal('0.1')));
  const page = await service.everybodys(1);
  const last = await service.everybodys(1, page.nextCursor ?? undefined);
  return {
    found: {
      name: found?.name,
      shardId: gateway.route({ tenantId: TENANT, userId: found?.userId ?? '' }).shardId,
      credit: found?.credit.toFixed(4),
      orders: found?.orders.map(({ article, total }) => `${article} ${total.toFixed(4)}`).sort(),
    },
    transaction: { placed, refused },
    small: small.map((order) => [
      order.article,
      order.placedAt.toISOString(),
      Decimal.isDecimal(order.total),
    ]),
    everybodys: { names: [...page.items, ...last.items].map(({ name }) => name), end: last.nextCursor },
    turnover: (await service.turnover()).toFixed(4),
  };
}

async function lookAgain(app: INestApplicationContext): Promise<object> {
  const left = userOn('s0', app.get(DataGateway));
  const firstShard = app.get(FirstShard);
  return {
    names: (await as(left, () => app.get(CustomersService).mine())).map(({ name }) => name),
    onFirstShard: await firstShard.count(),
    isOurDataSource: firstShard.dataSource instanceof DataSource,
  };
}

/** What is thrown: whether it is of the class that this application imports, and its code. */
async function thrownBy(
  run: () => Promise<unknown>,
  type: new (...given: never[]) => Error,
): Promise<object> {
  try {
    await run();
    return { thrown: false };
  } catch (error) {
    const isGatewayError = error instanceof GatewayError;
    return {
      isOfType: error instanceof type,
      isGatewayError,
      code: isGatewayError ? error.code : sqlStateOf(error),
    };
  }
}

function sqlStateOf(error: unknown): string {
  return error instanceof QueryFailedError ? String((error.driverError as { code?: unknown }).code) : 'none';
}

async function makeMistakes(app: INestApplicationContext): Promise<object> {
  const service = app.get(CustomersService);
  const left = userOn('s0', app.get(DataGateway));
  return {
    noScope: await thrownBy(() => service.mine(), ScopeMissingError),
    floatAmount: await thrownBy(() => as(left, () => service.register('Cy', 0.1 as never)), ValidationError),
    duplicate: await thrownBy(
      () => as(left, () => service.register('Ada', new Decimal(1))),
      QueryFailedError,
    ),
  };
}

async function main(): Promise<void> {
  // The service of the tenant acts here; the users' calls are nested in it, so that it sees what they wrote.
  const asService = <T>(fn: () => Promise<T>): Promise<T> =>
    GatewayContext.run({ tenantId: TENANT, actor: ACTOR }, fn);

  const forRoot = await asService(() => withApp(AppModule, workWithCustomers));
  let firstShard: FirstShard | undefined;
  const forRootAsync = await asService(() =>
    withApp(AsyncAppModule, (app) => {
      firstShard = app.get(FirstShard);
      return lookAgain(app);
    }),
  );
  const results = {
    forRoot,
    forRootAsync,
    mistakes: await withApp(AsyncAppModule, makeMistakes),
    closed: {
      countAtTheEnd: firstShard?.countAtTheEnd,
      connected: firstShard?.dataSource.isInitialized,
    },
    packages: loadedPackages([
      '@nestjs/common',
      '@nestjs/core',
      '@nestjs/typeorm',
      'reflect-metadata',
      'rxjs',
      'typeorm',
    ]),
  };
  process.stdout.write(`${JSON.stringify(results)}\n`);
}

// No process.exit: a gateway that left a connection or a timer behind would keep this process from ending.
main().catch((error: unknown) => {
  process.stderr.write(`${String(error)}\n`);
  process.exitCode = 1;
});
