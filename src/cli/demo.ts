import { Command } from 'commander';

/** `shardgate demo`: a guided walk over servers of its own, which are removed afterwards. */
export function demoCommand(): Command {
  return new Command('demo')
    .description('a guided walk on generated data, over a cluster that is made for it and removed afterwards')
    .addHelpText('after', '\nIts log is silent; LOG_LEVEL=info shows it on standard error.\n')
    .action(async () => {
      // Not before it is needed: every other command would wait for the HTTP service to load as well.
      const { runDemo } = await import('./demo/run-demo.js');
      process.exitCode = await runDemo();
      process.exit();
    });
}
