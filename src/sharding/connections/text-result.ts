import type pg from 'pg';
import { parserOf, type RawRow } from './prepared-statement.js';

/** What a statement answered, its fields still as text: nobody can change it. */
export interface TextResult {
  readonly command: string;
  readonly rowCount: number | null;
  readonly fields: readonly pg.FieldDef[];
  readonly rows: readonly RawRow[];
}

/** Leaves every field the text that the server sent; a null stays null. */
export const AS_TEXT: pg.CustomTypesConfig = { getTypeParser: () => (text: string) => text };

/** The result as the driver would have made it, with values and rows that are nobody else's. */
export function parsedResult({ command, rowCount, fields, rows }: TextResult): pg.QueryResult {
  const columns = fields.map(({ name, dataTypeID }) => ({
    name,
    parse: parserOf(dataTypeID),
  }));
  const parsed = rows.map((row) => {
    const values: Record<string, unknown> = {};
    for (const [index, { name, parse }] of columns.entries()) {
      const text = row[index] ?? null;
      values[name] = text === null || parse === undefined ? text : parse(text);
    }
    return values;
  });
  return { command, rowCount, oid: 0, fields: [...fields], rows: parsed };
}
