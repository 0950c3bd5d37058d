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

/** One bit of a set each; columns beyond are asked for like any other. */
const FIXABLE_MAX = 30;

/**
 * The columns of an entity of which `column = value` says what is in each row, to the letter. That is not so
 * for text in general, where a collation may take different letters for equal.
 */
export class FixableColumns {
  readonly #columns: readonly ColumnMetadata[];
  /** Every set of them that was asked for, by its bits. */
  readonly #sets = new Map<number, readonly ColumnMetadata[]>();

  constructor(metadata: EntityMetadata) {
    const fixable = readColumnsOf(metadata).filter(
      ({ propertyPath, type, transformer, isArray, collation }) =>
        transformer === undefined &&
        !isArray &&
        (type === 'uuid'
          ? !propertyPath.includes('.')
          : type === 'text' && collation === undefined && OWN_TEXT_PROPERTIES.has(propertyPath)),
    );
    this.#columns = fixable.slice(0, FIXABLE_MAX);
  }

  /** Those that `where` of find options fixes; of the same columns, it is the same array every time. */
  fixedBy(where: unknown): FixedColumns {
    const given =
      where === null || typeof where !== 'object' || Array.isArray(where)
        ? {}
        : (where as Readonly<Record<string, unknown>>);
    const values: string[] = [];
    let set = 0;
    for (const [index, { propertyName, type }] of this.#columns.entries()) {
      const value = given[propertyName];
      if (typeof value !== 'string' || (type === 'uuid' && !UUID_AS_WRITTEN.test(value))) continue;
      set |= 1 << index;
      values.push(value);
    }
    return { columns: this.#columnsOf(set), values };
  }

  #columnsOf(set: number): readonly ColumnMetadata[] {
    let columns = this.#sets.get(set);
    if (columns === undefined) {
      columns = this.#columns.filter((_, index) => (set & (1 << index)) !== 0);
      this.#sets.set(set, columns);
    }
    return columns;
  }
}
