import type pg from 'pg';
import type { ParameterValue } from './parameter-values.js';

/** Has the server parse a statement under its name, whatever it has there. */
export function sendParse(
  connection: pg.Connection,
  { name, text }: { readonly name: string; readonly text: string },
): void {
  // After a failure the server may still have it; closing what is not there is no error.
  connection.close({ type: 'S', name }, true);
  connection.parse({ name, text, types: [] }, true);
}

/** Runs a statement that is parsed. */
export function sendRun(connection: pg.Connection, name: string, values: readonly ParameterValue[]): void {
  connection.bind({ statement: name, values: [...values] }, true);
  connection.execute(null, true);
}
