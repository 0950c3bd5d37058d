import type pg from 'pg';
import type { SqlRow } from '../../common/sql-executor.js';
import { parserOf, type RawRow, type TextParser } from './prepared-statement.js';

/** What a statement answered, its fields still as text: nobody can change it. */
export interface TextResult {
  readonly command: string;
  readonly rowCount: number | null;
  readonly fields: readonly pg.FieldDef[];
  readonly rows: readonly RawRow[];
}

/** Leaves every field the text that the server sent; a null stays null. */
export const AS_TEXT: pg.CustomTypesConfig = { getTypeParser: () => (text: string) => text };

/** A column of an answer, and what makes a value of its fields. */
export interface AnswerColumn {
  readonly name: string;
  readonly parse: TextParser;
}

/** The columns that the server describes. */
export function columnsOf(fields: readonly Pick<pg.FieldDef, 'name' | 'dataTypeID'>[]): AnswerColumn[] {
  return fields.map(({ name, dataTypeID }) => ({ name, parse: parserOf(dataTypeID) }));
}

/** One row as the driver would have made it. */
export function rowOf(fields: RawRow, columns: readonly AnswerColumn[]): SqlRow {
  const row: SqlRow = {};
  for (const [index, { name, parse }] of columns.entries()) {
    const text = fields[index] ?? null;
    row[name] = text === null || parse === undefined ? text : parse(text);
  }
  return row;
}

/** The result as the driver would have made it, with values and rows that are nobody else's. */
export function parsedResult({ command, rowCount, fields, rows }: TextResult): pg.QueryResult {
  const columns = columnsOf(fields);
  return {
    command,
    rowCount,
    oid: 0,
    fields: [...fields],
    rows: rows.map((row) => rowOf(row, columns)),
  };
}
