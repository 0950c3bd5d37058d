import 'reflect-metadata';
import { readFile } from 'node:fs/promises';
import { Injectable, Module } from '@nestjs/common';
import { afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Test, type TestingModule } from '@nestjs/testing';
import { Column, Entity, type MigrationInterface, type QueryRunner } from 'typeorm';
import {
  DataGateway,
  DataGatewayModule,
  GatewayContext,
  InjectShardedRepository,
  Sharded,
  ShardedEntity,
  ShardedRepository,
  type DataGatewayModuleOptions,
} from '../../src/index.js';
import { CreateBilling1763800000100, Invoice, InvoiceLine } from '../support/billing.js';
import { ownDatabases } from '../support/own-databases.js';

const PAGE = new URL('../../docs/own-entities.md', import.meta.url);
const APPLICATION = new URL('../consumers/nest12-esm/', import.meta.url);
const SHARDED_COLUMNS = `tenant_id text NOT NULL, id uuid NOT NULL, user_id text NOT NULL, bucket smallint NOT NULL`;

let page: string;
let module: TestingModule | undefined;

beforeAll(async () => {
  page = await readFile(PAGE, 'utf8');
});

afterEach(async () => {
  await module?.close();
  module = undefined;
});

describe('docs/own-entities.md', () => {
  it('shows code of the application that is compiled and run, word for word', async () => {
    const blocks = [...page.matchAll(/```ts\n\/\/ (src\/\S+)\n([^]*?)\n```/g)];
    expect(blocks.length).toBe(page.split('```ts').length - 1);
    expect(blocks.length).toBeGreaterThanOrEqual(7);
    for (const [, file = '', code = ''] of blocks) {
      const source = await readFile(new URL(file, APPLICATION), 'utf8');
      expect(unindented(source)).toContain(unindented(code));
    }
  });

  it('quotes what is said about entities that cannot be used, at the start', async () => {
    class Plain {
      readonly name = 'plain';
    }
    expect(() => DataGatewayModule.forRoot({ ...SERVERS, entities: [Plain] })).toThrow(
      quoted('is not sharded; declare it with @Sharded()'),
    );
    const forgotten = Test.createTestingModule({ imports: [WithoutFeature] });
    await expect(forgotten.compile()).rejects.toThrow(quoted('dependencies of the'));
  });

  it('quotes what is said about tables that cannot be shared by tenants', async () => {
    const gateway = await start({
      entities: [Lost, Shared, Pointing],
      migrations: [CreateFaulty1763800000200],
    });
    const message = await GatewayContext.run({ tenantId: 'acme', userId: 'alice', actor: 'test' }, () =>
      messageOf(() => gateway.repository(Shared).find()),
    );
    for (const fragment of [
      'is not a table here; add a migration that creates it',
      'column bucket is missing; add it',
      'unique across tenants',
      'of any tenant; put tenant_id into both of its sides',
    ]) {
      expect(message).toContain(quoted(fragment));
    }
  });

  it('quotes what is said about calls', async () => {
    const gateway = await start({
      entities: [Invoice, InvoiceLine],
      migrations: [CreateBilling1763800000100],
    });
    const invoices = gateway.repository(Invoice);
    expect(await messageOf(() => invoices.find())).toContain(
      quoted('No tenant in scope; wrap the call in GatewayContext.run'),
    );
    await GatewayContext.run({ tenantId: 'acme', actor: 'test' }, async () => {
      expect(await messageOf(() => invoices.find())).toContain(
        quoted('No user in scope; give userId to GatewayContext.run'),
      );
    });
    await GatewayContext.run({ tenantId: 'acme', userId: 'alice', actor: 'test' }, async () => {
      const mistakes: [string, () => Promise<unknown>][] = [
        ['is not that of the scope; leave it out', () => invoices.save({ userId: 'bob' })],
        ['is not that of the scope; leave it out', () => invoices.findBy({ tenantId: 'globex' })],
        ['was not minted for this user; leave it out', () => invoices.save({ id: gateway.mintId('bob') })],
        [
          'an amount is a Decimal or a decimal string, never a number',
          () => invoices.save({ number: '1', total: 12.5 as never }),
        ],
        ['must name the rows to change', () => invoices.delete({})],
        [
          "the statement writes; run it with { from: 'primary' }",
          () =>
            gateway.query('WITH gone AS (DELETE FROM billing.invoices RETURNING 1) SELECT * FROM gone', [], {
              allShards: true,
            }),
        ],
      ];
      for (const [fragment, mistake] of mistakes) {
        expect(await messageOf(mistake)).toContain(quoted(fragment));
      }
    });
  });
});

/** Options that pass the check of options; nothing connects. */
const SERVERS = {
  catalog: { url: 'postgresql://gateway@127.0.0.1:1/catalog' },
  shards: [{ id: 's0', primary: { url: 'postgresql://gateway@127.0.0.1:1/app' } }],
};

/** The words, if the page has them. */
function quoted(fragment: string): string {
  expect(page).toContain(fragment);
  return fragment;
}

/** A page shows a piece of a file as it stands there, whatever blanks the lines begin with. */
function unindented(code: string): string {
  return code.replaceAll(/^ +/gm, '');
}

async function start(
  options: Pick<DataGatewayModuleOptions, 'entities' | 'migrations'>,
): Promise<DataGateway> {
  const imports = [DataGatewayModule.forRoot({ ...(await ownDatabases()), ...options })];
  module = await Test.createTestingModule({ imports }).compile();
  return module.get(DataGateway);
}

async function messageOf(run: () => Promise<unknown>): Promise<string> {
  try {
    await run();
    return 'nothing was refused';
  } catch (error) {
    return (error as Error).message;
  }
}

@Injectable()
class Forgetful {
  constructor(@InjectShardedRepository(Invoice) readonly invoices: ShardedRepository<Invoice>) {}
}

@Module({ providers: [Forgetful] })
class WithoutFeature {}

@Sharded()
@Entity({ schema: 'faulty', name: 'lost' })
class Lost extends ShardedEntity {}

@Sharded()
@Entity({ schema: 'faulty', name: 'shared' })
class Shared extends ShardedEntity {
  @Column({ type: 'text' })
  email!: string;
}

@Sharded()
@Entity({ schema: 'faulty', name: 'pointing' })
class Pointing extends ShardedEntity {}

/** Leaves out one table and a column, and the tenant in keys. */
class CreateFaulty1763800000200 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`CREATE SCHEMA faulty`);
    await queryRunner.query(`
      CREATE TABLE faulty.shared (${SHARDED_COLUMNS}, email text UNIQUE, PRIMARY KEY (tenant_id, id), UNIQUE (id))`);
    await queryRunner.query(`
      CREATE TABLE faulty.pointing (
        tenant_id text NOT NULL, id uuid NOT NULL, user_id text NOT NULL,
        shared_id uuid REFERENCES faulty.shared (id), PRIMARY KEY (tenant_id, id))`);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`DROP SCHEMA faulty CASCADE`);
  }
}
