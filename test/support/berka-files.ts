import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Where the bank's tables are, beside the project; or elsewhere. */
const DIRECTORY = process.env.SHARDGATE_TEST_BERKA ?? join(import.meta.dirname, '../../../shared/data/berka');

/** The rows of one of the bank's tables, by column; undefined where the data are not there. */
export function berkaRows(file: string): string[][] | undefined {
  const path = join(DIRECTORY, file);
  if (!existsSync(path)) return undefined;
  const lines = readFileSync(path, 'utf8').split('\n');
  return lines.filter((line) => line !== '').map((line) => line.split('\t'));
}
