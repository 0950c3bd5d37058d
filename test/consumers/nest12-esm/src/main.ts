import 'reflect-metadata';
import type { INestApplicationContext, Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Decimal } from 'decimal.js';
import { DataGateway, GatewayContext, GatewayError } from 'shardgate';
import { AppModule } from './app.module.js';
import { AsyncAppModule, CrmInspector } from './async-app.module.js';
import { CustomerService } from './customer.service.js';

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
  const service = app.get(CustomerService);
  const gateway = app.get(DataGateway);
  const [left, right] = [userOn('s0', gateway), userOn('s1', gateway)];

  const ada = await as(left, () => service.add('Ada', ['phone', 'post']));
  const bea = await as(right, () => service.add('Bea', ['phone']));
  const [found] = await as(left, () => service.withLimit(new Decimal('1500')));

  const limitAfter = await as(left, () => service.addSeats(ada.id, 'phone', 4, new Decimal('0.1')));
  const refused = await as(left, () => service.addSeats(ada.id, 'post', 1, new Decimal('9999'))).catch(
    (error: unknown) => (error as Error).message,
  );

  const byId = await as(right, () => service.byId(ada.id));
  const first = await service.everybodys(1);
  const second = await service.everybodys(1, first.nextCursor ?? undefined);
  return {
    shardsOfOwners: [ada.userId, bea.userId].map(
      (userId) => gateway.route({ tenantId: TENANT, userId }).shardId,
    ),
    found: {
      name: found?.name,
      creditLimit: found?.creditLimit.toFixed(4),
      plans: found?.subscriptions.map(({ plan }) => plan).sort(),
    },
    transaction: {
      limitAfter: limitAfter.toFixed(4),
      refused,
      seats: Object.fromEntries(byId?.subscriptions.map(({ plan, seats }) => [plan, seats]) ?? []),
    },
    forUser: (await as(right, () => service.ofUser(left))).map(({ name }) => name),
    everybodys: {
      names: [...first.items, ...second.items].map(({ name }) => name),
      end: second.nextCursor,
    },
    seatsPerPlan: Object.fromEntries(await service.seatsPerPlan()),
  };
}

async function lookAgain(app: INestApplicationContext): Promise<object> {
  const left = userOn('s0', app.get(DataGateway));
  return {
    names: (await as(left, () => app.get(CustomerService).ofUser(left))).map(({ name }) => name),
    onFirstShard: await as(left, () => app.get(CrmInspector).countOnFirstShard()),
  };
}

/** What a call gets that names no tenant. */
async function callWithoutScope(app: INestApplicationContext): Promise<string> {
  try {
    await app.get(CustomerService).withLimit(new Decimal(0));
    return 'answered';
  } catch (error) {
    return error instanceof GatewayError ? error.code : 'failed otherwise';
  }
}

// The service of the tenant acts here; the users' calls are nested in it, so that it sees what they wrote.
const results = await GatewayContext.run({ tenantId: TENANT, actor: ACTOR }, async () => ({
  forRoot: await withApp(AppModule, workWithCustomers),
  forRootAsync: await withApp(AsyncAppModule, lookAgain),
}));
const withoutScope = await withApp(AsyncAppModule, callWithoutScope);
process.stdout.write(`${JSON.stringify({ ...results, withoutScope })}\n`);
