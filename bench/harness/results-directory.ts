import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { BenchReport } from './report.js';

/** Where reports and profiles are left unless told otherwise. Not kept by git: they are of one machine and moment. */
export const DEFAULT_RESULTS_DIRECTORY = join(import.meta.dirname, '../results');

/** Where a run leaves its files. */
export class ResultsDirectory {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  /** Writes a report as `<name>.json`. @returns the file's path */
  keepReport(report: BenchReport): Promise<string> {
    return this.keep(`${report.name}.json`, `${JSON.stringify(report, null, 2)}\n`);
  }

  /** Writes a file, in place of one of that name. @returns its path */
  async keep(fileName: string, text: string): Promise<string> {
    await mkdir(this.#path, { recursive: true });
    const path = join(this.#path, fileName);
    await writeFile(path, text);
    return path;
  }
}
