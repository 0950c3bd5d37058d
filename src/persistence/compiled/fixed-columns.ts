import type { EntityMetadata } from 'typeorm';
import type { ColumnMetadata } from 'typeorm/metadata/ColumnMetadata.js';
import { readColumnsOf } from './row-reader.js';

/** A UUID as the server writes it. Of its other spellings the server makes this one. */
const UUID_AS_WRITTEN = /^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/;

/** The gateway's own columns of text; their values are compared, and routed by, byte for byte. */
const OWN_TEXT_PROPERTIES: ReadonlySet<string> = new Set(['tenantId', 'userId']);

/** What conditions fix to one value for all rows. */
interface FixedColumns {
  readonly columns: readonly ColumnMetadata[];
  readonly values: readonly string[];
}

const NONE: FixedColumns = { columns: [], values: [] };

/**
 * The columns of an entity of which `column = value` says what is in each row, to the letter. That is not so
 * for text in general, where a collation may take different letters for equal.
 */
export class FixableColumns {
  readonly #columns: readonly ColumnMetadata[];

  constructor(metadata: EntityMetadata) {
    this.#columns = readColumnsOf(metadata).filter(
      ({ propertyPath, type, transformer, isArray, collation }) =>
        transformer === undefined &&
        !isArray &&
        (type === 'uuid'
          ? !propertyPath.includes('.')
          : type === 'text' && collation === undefined && OWN_TEXT_PROPERTIES.has(propertyPath)),
    );
  }

  /** Those that `where` of find options fixes. */
  fixedBy(where: unknown): FixedColumns {
    if (where === null || typeof where !== 'object' || Array.isArray(where)) return NONE;
    const columns: ColumnMetadata[] = [];
    const values: string[] = [];
    for (const column of this.#columns) {
      const value: unknown = (where as Readonly<Record<string, unknown>>)[column.propertyName];
      if (typeof value !== 'string' || (column.type === 'uuid' && !UUID_AS_WRITTEN.test(value))) continue;
      columns.push(column);
      values.push(value);
    }
    return { columns, values };
  }
}
