import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import { request as rawRequest, type IncomingMessage } from 'node:http';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { eventually } from '../support/eventually.js';
import { GatewayProcess, newDirectory, OPERATOR_KEY, runCli } from '../support/gateway-process.js';
import { ownDatabases, runAsAdmin } from '../support/own-databases.js';

/** Command lines of all processes that mention the directory. */
function processesOf(directory: string): string[] {
  return execFileSync('ps', ['-eo', 'args'], { encoding: 'utf8' })
    .split('\n')
    .filter((line) => line.includes(directory));
}

describe('shardgate start', () => {
  it('starts everything, prints a curl that works as pasted, keeps its data, and leaves no process', async () => {
    const dataDir = join(newDirectory('shardgate with spaces '), 'my data');
    const options = {
      args: ['--data-dir', dataDir, '--shards', '3', '--replicas', '2'],
      env: { SHARDGATE_OPERATOR_KEY: undefined },
    };
    const gateway = await GatewayProcess.start(options);
    expect(gateway.stdout).toContain('s2 (1 primary, 2 replicas)');
    const curl = /^ {2}curl -sS[^]*?'$/m.exec(gateway.stdout)?.[0] ?? '';
    const account = JSON.parse(execFileSync('bash', ['-c', curl], { encoding: 'utf8' })) as object;
    expect(account).toMatchObject({ currency: 'EUR', balance: '100.0000' });

    const [, operatorKey = ''] = /Operator {2}(sg_\S+)/.exec(gateway.stdout) ?? [];
    const shards = await gateway.request('/v1/admin/shards', { key: operatorKey });
    const { items } = (await shards.json()) as { items: { replicas: object[] }[] };
    expect(items.map(({ replicas }) => replicas.length)).toEqual([2, 2, 2]);

    const joined = await GatewayProcess.start({
      env: { SHARDGATE_CONFIG: join(dataDir, 'shardgate.config.json'), SHARDGATE_OPERATOR_KEY: undefined },
    });
    expect((await joined.request('/v1/admin/tenants/demo', { key: operatorKey })).status).toBe(200);
    expect(joined.stdout).not.toContain(operatorKey);
    expect(await joined.stop('SIGINT')).toBe(0);
    expect((await gateway.request('/health/ready')).status).toBe(200);

    expect(await gateway.stop('SIGINT')).toBe(0);
    await eventually('no process is left', () => processesOf(dataDir).length === 0);
    expect(existsSync(join(dataDir, 'shardgate.config.json'))).toBe(false);

    const again = await GatewayProcess.start({ ...options, args: ['--data-dir', dataDir] });
    expect(again.stdout).toContain('Keys were shown at the first start');
    const shown = await again.request('/v1/admin/tenants/demo', { key: operatorKey });
    const { usage } = (await shown.json()) as { usage: { accounts: number }[] };
    expect(usage.reduce((sum, { accounts }) => sum + accounts, 0)).toBe(1);
    expect(await again.stop('SIGTERM')).toBe(0);
    await eventually('no process is left', () => processesOf(dataDir).length === 0);
    // Where root keeps it, when the servers' user cannot reach the directory.
    rmSync(realpathSync(join(dataDir, 'nodes')), { recursive: true });
  }, 120_000);

  it.concurrent(
    'lets a request under way finish when it is asked to end',
    async () => {
      const gateway = await GatewayProcess.start({ config: await ownDatabases() });
      const body = JSON.stringify({ id: 'late', name: 'Late' });
      const headers = {
        authorization: `Bearer ${OPERATOR_KEY}`,
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(body),
        expect: '100-continue',
      };
      const request = rawRequest(`${gateway.url}/v1/admin/tenants`, { method: 'POST', headers });
      const answered = once(request, 'response');
      request.flushHeaders();
      await once(request, 'continue');
      request.write(body.slice(0, 5));
      const ended = gateway.stop('SIGTERM');
      await eventually('it accepts no more', async () => {
        return fetch(`${gateway.url}/health/live`).then(
          ({ status }) => status === 503,
          () => true,
        );
      });
      request.end(body.slice(5));
      const [response] = (await answered) as [IncomingMessage];
      response.resume();
      expect(response.statusCode).toBe(201);
      expect(await ended).toBe(0);
    },
    60_000,
  );

  it.concurrent(
    'says what to do when the port is taken, and starts nothing',
    async () => {
      const blocker = createServer();
      await new Promise<void>((resolve) => blocker.listen(0, '127.0.0.1', resolve));
      const { port } = blocker.address() as AddressInfo;
      const dataDir = join(newDirectory(), 'data');
      const { code, stderr, stdout } = await runCli(['start', '--data-dir', dataDir, '--port', String(port)]);
      blocker.close();
      expect(code).toBe(1);
      expect(stdout).toBe('');
      expect(stderr).toContain(`PORT=${port + 1}`);
      expect(existsSync(dataDir)).toBe(false);
    },
    60_000,
  );

  it.concurrent.each([
    ['an unknown option', 'catalog: {url: "postgresql://a@b/c"}\nshards: []\npoool: {}\n', /poool/],
    ['no shard', '{"catalog":{"url":"postgresql://a@b/c"},"shards":[]}', /shards: name at least one shard/],
    ['a bad url', '{"catalog":{"url":"mysql://a"},"shards":[]}', /catalog\.url: must be a postgresql/],
    ['broken syntax', '{"catalog": "secret-password', /neither JSON nor YAML/],
    ['no object', '7', /must hold an object/],
  ])(
    'refuses a configuration with %s, naming it',
    async (_, text, message) => {
      const path = join(newDirectory(), 'servers.yaml');
      writeFileSync(path, text);
      const { code, stderr } = await runCli(['start', '--port', '0'], { env: { SHARDGATE_CONFIG: path } });
      expect(code).toBe(1);
      expect(stderr).toMatch(message);
      expect(stderr).toMatch(/^error: /m);
      expect(stderr).not.toContain('secret-password');
      expect(stderr).not.toMatch(/^\s+at /m);
    },
    60_000,
  );

  it.concurrent.each([
    [{ PORT: '99999' }, /PORT must be a port/],
    [{ LOG_LEVEL: 'loud' }, /LOG_LEVEL must be/],
    [{ SHARDGATE_OPERATOR_KEY: 'short' }, /SHARDGATE_OPERATOR_KEY must have at least 16/],
    [{ SHARDGATE_CONFIG: '/nowhere/servers.json' }, /cannot be read; check SHARDGATE_CONFIG/],
    [{ HOST: '203.0.113.7' }, /HOST=203\.0\.113\.7/],
  ])(
    'refuses the environment %j, naming the variable',
    async (env, message) => {
      const { code, stderr } = await runCli(['start', '--data-dir', join(newDirectory(), 'data')], { env });
      expect(code).toBe(1);
      expect(stderr).toMatch(message);
    },
    60_000,
  );
});

describe('the other commands', () => {
  it('explain themselves', async () => {
    const commands = ['start', 'migrate', 'doctor', 'tenants', 'shards', 'recover'];
    const [outcomes, release, unknown] = await Promise.all([
      Promise.all(commands.map((command) => runCli([command, '--help']))),
      runCli(['--version']),
      runCli(['bogus']),
    ]);
    expect(outcomes.map(({ code }) => code)).toEqual([0, 0, 0, 0, 0, 0]);
    for (const { stdout } of outcomes) expect(stdout).toContain('Examples:');
    const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
    expect(release.stdout.trim()).toBe(version);
    expect(unknown.code).toBe(1);
  });

  it('say what to do without servers', async () => {
    const env = { SHARDGATE_DATA_DIR: join(newDirectory(), 'none') };
    const commands = [['migrate'], ['doctor'], ['shards'], ['recover'], ['tenants', 'list']];
    const outcomes = await Promise.all(commands.map((args) => runCli(args, { env })));
    for (const { code, stderr } of outcomes) {
      expect(code).toBe(1);
      expect(stderr).toContain('start one with "npx shardgate start"');
    }
  });

  it.concurrent(
    'migrate, find what was changed by hand, and mend it',
    async () => {
      const config = await ownDatabases();
      const before = await runCli(['doctor'], { config });
      expect(before.code).toBe(1);
      expect(before.stdout).toContain('s0: it was never migrated');

      const migrated = await runCli(['migrate'], { config });
      expect([migrated.code, migrated.stderr]).toEqual([0, '']);
      for (const name of ['catalog', 's0', 's1'])
        expect(migrated.stdout).toMatch(new RegExp(`^${name} +applied`, 'm'));
      expect((await runCli(['migrate'], { config })).stdout).toMatch(/^s0 +is up to date/m);
      const healthy = await runCli(['doctor'], { config });
      expect([healthy.code, healthy.stdout]).toEqual([0, 'All is well with the catalog and 2 shards.\n']);

      const adminUrl = config.shards[0]?.primary.adminUrl ?? '';
      await runAsAdmin(adminUrl, 'ALTER TABLE finance.accounts DISABLE ROW LEVEL SECURITY');
      await runAsAdmin(adminUrl, 'ALTER TABLE finance.accounts ADD COLUMN by_hand int');
      const found = await runCli(['doctor', '--json'], { config });
      expect(found.code).toBe(1);
      const { findings } = JSON.parse(found.stdout) as {
        findings: { where: string; what: string; fix: string }[];
      };
      expect(findings).toContainEqual(
        expect.objectContaining({
          where: 's0',
          what: expect.stringContaining('row-level security does not hold'),
        }),
      );
      expect(findings.some(({ what }) => what.includes('by_hand'))).toBe(true);
      expect(findings.every(({ fix }) => fix.length > 0)).toBe(true);
      await runAsAdmin(adminUrl, 'ALTER TABLE finance.accounts DROP COLUMN by_hand');
      expect((await runCli(['migrate'], { config })).code).toBe(0);
      expect((await runCli(['doctor'], { config })).code).toBe(0);
    },
    90_000,
  );

  it.concurrent(
    'administer tenants and the operator, and running gateways follow',
    async () => {
      const config = await ownDatabases();
      const gateway = await GatewayProcess.start({ config, env: { SHARDGATE_OPERATOR_KEY: undefined } });
      const [, firstKey = ''] = /Operator {2}(sg_\S+)/.exec(gateway.stdout) ?? [];
      expect(firstKey).not.toBe('');
      const cli = async (...args: string[]): Promise<string> => {
        const { code, stdout, stderr } = await runCli(args, { config });
        expect([code, stderr]).toEqual([0, '']);
        return stdout.trim();
      };
      const statusOf = async (path: string, key: string): Promise<number> =>
        (await gateway.request(path, { key })).status;

      const key = await cli('tenants', 'create', 'acme', '--name', 'Acme Ltd', '--dedicated', 's1');
      await eventually('the key works', async () => (await statusOf('/v1/accounts', key)) === 200);
      expect(await cli('tenants', 'list')).toMatch(/acme +Acme Ltd +active +dedicated to s1/);
      await cli('tenants', 'suspend', 'acme');
      await eventually('it is refused', async () => (await statusOf('/v1/accounts', key)) === 403);
      await cli('tenants', 'activate', 'acme');
      await eventually('it is served', async () => (await statusOf('/v1/accounts', key)) === 200);
      const added = await cli('tenants', 'add-key', 'acme');
      await cli('tenants', 'delete-key', 'acme', key.split('_')[1] ?? '');
      await eventually('the old key ended', async () => (await statusOf('/v1/accounts', key)) === 401);
      expect(await statusOf('/v1/accounts', added)).toBe(200);

      const rotated = await cli('tenants', 'operator-key', '--rotate');
      await eventually(
        'the new key works',
        async () => (await statusOf('/v1/admin/shards', rotated)) === 200,
      );
      await eventually(
        'the first key ended',
        async () => (await statusOf('/v1/admin/shards', firstKey)) === 401,
      );
      const table = await cli('shards');
      expect(table).toMatch(/^s0 +primary +up +2048$/m);
      expect(table).toMatch(/^s1\.r1 +replica +up +\d+$/m);

      const unknown = await runCli(['tenants', 'create', 'x', '--dedicated', 's9'], { config });
      expect([unknown.code, unknown.stderr.includes('must be one of s0, s1')]).toEqual([1, true]);
      expect((await runCli(['tenants', 'create', 'BAD'], { config })).stderr).toContain('id: must be a slug');
      expect(OPERATOR_KEY).not.toBe(firstKey);
    },
    90_000,
  );
});
