import { Command } from 'commander';
import { locateServers } from './config-file.js';
import { examineSchemas } from './doctor/examine-schemas.js';
import { examineServers } from './doctor/examine-servers.js';
import type { Finding } from './doctor/finding.js';
import { readEnvironment } from './environment.js';

const EXAMPLES = `
Examples:
  $ SHARDGATE_CONFIG=servers.yaml shardgate doctor
  $ shardgate doctor --json                          the embedded cluster that runs, for programs

It only reads. The exit code is 1 when there is an error; warnings alone leave it 0.
`;

/** `shardgate doctor`: what is wrong with servers and schemas, and what to do about it. */
export function doctorCommand(): Command {
  return new Command('doctor')
    .description('look for what is wrong with servers and schemas, and say how to mend it')
    .option('--json', 'print JSON')
    .addHelpText('after', EXAMPLES)
    .action(async ({ json }: { json?: true }) => {
      const options = await locateServers(readEnvironment());
      const findings = [...(await examineServers(options)), ...(await examineSchemas(options))];
      if (json === true) console.log(JSON.stringify({ findings }, undefined, 2));
      else console.log(reportOf(findings, options.shards.length));
      if (findings.some(({ level }) => level === 'error')) process.exitCode = 1;
    });
}

function reportOf(findings: readonly Finding[], shards: number): string {
  if (findings.length === 0) return `All is well with the catalog and ${shards} shards.`;
  const lines = findings.map(
    ({ level, where, what, fix }) => `${level.padEnd(7)}  ${where}: ${what}\n         fix: ${fix}`,
  );
  const errors = findings.filter(({ level }) => level === 'error').length;
  return [...lines, '', `${errors} errors, ${findings.length - errors} warnings`].join('\n');
}
