import { Command, InvalidArgumentError } from 'commander';
import { ConfigurationError } from '../common/gateway-error.js';
import { SILENT_LOG } from '../common/log.js';
import { recoveryOf } from '../gateway/shard-transactions.js';
import { readInstallation } from '../sharding/migrations/installation.js';
import {
  RECOVERY_AGE_MS,
  type InDoubtTransaction,
  type RecoveryReport,
} from '../sharding/transactions/transaction-recovery.js';
import { withCatalog } from './catalog-session.js';
import { renderTable } from './table.js';

const EXAMPLES = `
Examples:
  $ shardgate recover                    what running gateways do by themselves every five seconds
  $ shardgate recover --older-than 60    leave alone what is younger than a minute
  $ shardgate recover --json             the same for programs

Any number of processes may recover at once, and what is still under way stays whole: at worst it is undone.
The exit code is 1 when something stays in doubt, as while a shard is away.
`;

/** `shardgate recover`: finishes transactions over several shards whose process is gone. */
export function recoverCommand(): Command {
  return new Command('recover')
    .description('finish transactions over several shards whose process is gone')
    .option(
      '--older-than <seconds>',
      'leave younger ones to their own process',
      secondsOf,
      RECOVERY_AGE_MS / 1000,
    )
    .option('--json', 'print JSON')
    .addHelpText('after', EXAMPLES)
    .action(async ({ olderThan, json }: { olderThan: number; json?: true }) => {
      const report = await recover(olderThan * 1000);
      console.log(json === true ? JSON.stringify(report, undefined, 2) : textOf(report));
      if (report.left.length + report.missingShards.length > 0) process.exitCode = 1;
    });
}

function recover(olderThanMs: number): Promise<RecoveryReport> {
  return withCatalog(async (catalog, { shards }) => {
    const installation = await readInstallation(catalog);
    if (installation === undefined) {
      throw new ConfigurationError('The catalog is empty; run shardgate migrate first.');
    }
    const recovery = recoveryOf(shards, () => installation.installationId, SILENT_LOG);
    try {
      return await recovery.recover(olderThanMs);
    } finally {
      recovery.stop();
    }
  });
}

function textOf({ recovered, left, missingShards }: RecoveryReport): string {
  const row = (result: string) => (transaction: InDoubtTransaction) => [
    transaction.gid,
    (transaction.ageMs / 1000).toFixed(1),
    transaction.shardIds.join(', '),
    transaction.decision ?? '',
    result,
  ];
  const rows = [...recovered.map(row('finished')), ...left.map(row('in doubt'))];
  const table =
    rows.length === 0
      ? 'Nothing was in doubt.'
      : renderTable(['GID', 'AGE S', 'SHARDS', 'DECISION', 'RESULT'], rows);
  const away =
    missingShards.length === 0
      ? []
      : [`Could not be asked: ${missingShards.join(', ')}. Run it again later.`];
  return [table, ...away].join('\n');
}

function secondsOf(text: string): number {
  const seconds = Number(text);
  if (text.trim() !== '' && Number.isFinite(seconds) && seconds >= 0) return seconds;
  throw new InvalidArgumentError('give a number of seconds, 0 or more');
}
