import { Command } from 'commander';
import { demoCommand } from './demo.js';
import { doctorCommand } from './doctor-command.js';
import { migrateCommand } from './migrate-command.js';
import { recoverCommand } from './recover-command.js';
import { releaseVersion } from './release.js';
import { shardsCommand } from './shards-command.js';
import { startCommand } from './start-command.js';
import { tenantsCommand } from './tenants-command.js';

/** The command line as a whole. */
export function buildProgram(): Command {
  return new Command('shardgate')
    .description('A sharded, multi-tenant data gateway for money on PostgreSQL.')
    .version(releaseVersion(), '--version', 'print the release')
    .showHelpAfterError('Run with --help to see what there is.')
    .addCommand(startCommand())
    .addCommand(migrateCommand())
    .addCommand(doctorCommand())
    .addCommand(tenantsCommand())
    .addCommand(shardsCommand())
    .addCommand(recoverCommand())
    .addCommand(demoCommand());
}
