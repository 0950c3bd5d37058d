import type { MigrationTarget } from '../../src/sharding/migrations/migration-plan.js';
import { migrateShards } from '../../src/sharding/migrations/migrator.js';
import { notesPlan } from './notes-migrations.js';

/** A process that migrates, for tests that run two of them or kill one: an event per line, as JSON. */
async function main(): Promise<void> {
  const { targets, installationId } = JSON.parse(process.argv[2] ?? '{}') as {
    targets: MigrationTarget[];
    installationId: string;
  };
  await migrateShards(targets, notesPlan(installationId), {
    onEvent: (event) => process.stdout.write(`${JSON.stringify(event)}\n`),
  });
}

main().catch((error: unknown) => {
  process.stderr.write(`${String(error)}\n`);
  process.exitCode = 1;
});
