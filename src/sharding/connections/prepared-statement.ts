import pg from 'pg';
import { parseInstant } from './instant-text.js';

/** Turns the text of one field into its value, as the driver does for the column's type; none: text it is. */
export type TextParser = Parser | undefined;

type Parser = (text: string) => unknown;

/** One row as the server sends it: the fields in the order of the select list, as text. */
export type RawRow = readonly (string | null)[];

/**
 * Turns one row into what the caller wants. Each call makes a new object.
 *
 * @param known what the caller knows of every row, and did not ask the server for
 */
export type RowReader<Row> = (fields: RawRow, known: readonly string[]) => Row;

const TEXT_FORMAT = 'text';

/** OID of `timestamptz`. */
const TIMESTAMPTZ: number = pg.types.builtins.TIMESTAMPTZ;

/** OID of `bigint`. */
const INT8: number = pg.types.builtins.INT8;

/** OID of no type. */
const UNKNOWN_TYPE = 0;

/** The driver's, for any type; its published types know the built-in ones alone. */
const driversParserOf: (typeId: number, format: typeof TEXT_FORMAT) => unknown = pg.types.getTypeParser;

let lastNumber = 0;

/**
 * A statement that each connection parses once and then runs by its name. Its rows are read by a function
 * made once for the types that the server tells of.
 */
export class PreparedStatement<Row> {
  /** Unique in this process, so that one name never means two texts on a connection. */
  readonly name: string;
  readonly text: string;
  /**
   * Whether the server keeps one plan for all parameters. It would plan lists of ids anew each time, because
   * it guesses their length, and that takes longer than finding the rows.
   */
  readonly hasOnePlan: boolean;
  readonly #makeReader: (parsers: readonly TextParser[]) => RowReader<Row>;
  #reader: RowReader<Row> | undefined;
  #readerTypes = '';

  constructor(
    text: string,
    makeReader: (parsers: readonly TextParser[]) => RowReader<Row>,
    { hasOnePlan = false } = {},
  ) {
    lastNumber += 1;
    this.name = `shardgate_${lastNumber}`;
    this.text = text;
    this.hasOnePlan = hasOnePlan;
    this.#makeReader = makeReader;
  }

  /** @param typeIds the OIDs of the columns' types, in order */
  readerFor(typeIds: readonly number[]): RowReader<Row> {
    const types = typeIds.join();
    if (this.#reader === undefined || types !== this.#readerTypes) {
      const parsers = typeIds.map(parserOf);
      this.#reader = this.#makeReader(parsers);
      this.#readerTypes = types;
    }
    return this.#reader;
  }
}

/** What makes a value of a field's text, as the driver does. */
export function parserOf(typeId: number): TextParser {
  if (typeId === TIMESTAMPTZ) return parseInstant;
  const parser = driversParserOf(typeId, TEXT_FORMAT);
  // What the driver knows nothing of stays the text that it is, through a function that says so.
  if (parser === driversParserOf(UNKNOWN_TYPE, TEXT_FORMAT)) return undefined;
  return typeId === INT8 && leavesDigits(parser as Parser) ? undefined : (parser as Parser);
}

/** Whether integers stay the text that they are, which the driver makes sure of each time anew. */
function leavesDigits(parse: Parser): boolean {
  return ['0', '7', '-12', '9223372036854775807'].every((digits) => parse(digits) === digits);
}
