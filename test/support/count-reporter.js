import { writeSync } from 'node:fs';
import process from 'node:process';

const STDOUT = 1;

/** Ends every run with one line that counts its tests, below the summary of Jest itself. */
export default class CountReporter {
  onRunComplete(_contexts, { numPassedTests, numFailedTests, numRuntimeErrorTestSuites }) {
    // A suite that could not even be loaded has no tests to count, and is a failure all the same.
    const failed = numFailedTests + numRuntimeErrorTestSuites;
    // Jest adds its summary behind every configured reporter, so this line waits for the end of the process.
    process.once('exit', () => writeSync(STDOUT, `${numPassedTests} passed, ${failed} failed\n`));
  }
}
