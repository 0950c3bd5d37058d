#!/usr/bin/env node
import { reportFailure } from './failure.js';
import { buildProgram } from './program.js';

buildProgram()
  .parseAsync(process.argv)
  .catch((error: unknown) => {
    reportFailure(error);
    process.exit(1);
  });
