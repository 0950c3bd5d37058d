import type { EntityMetadata } from 'typeorm';
import type { ForeignKeyMetadata } from 'typeorm/metadata/ForeignKeyMetadata.js';

/**
 * The tables, as `schema.table`, whose rows the server itself may change or remove when rows of this table are
 * removed, or, with `updatedColumns`, when these columns of it change.
 */
export type Referencing = (table: string, updatedColumns?: readonly string[]) => readonly string[];

/** Rows of a table that are removed (no columns), or changed in these columns. */
interface Change {
  readonly table: string;
  readonly columns: readonly string[] | undefined;
}

const NONE: readonly string[] = [];

/** What a table is called in {@link WrittenTable}. */
function qualified(tablePath: string): string {
  return tablePath.includes('.') ? tablePath : `public.${tablePath}`;
}

/**
 * Referential actions (`onDelete`, `onUpdate` of CASCADE, SET NULL, SET DEFAULT), followed from table to table,
 * as far as TypeORM's metadata has the foreign keys. Pass the metadata of all entities, those that TypeORM makes
 * for junction tables among them: `dataSource.entityMetadatas`.
 */
export function referencingTables(metadatas: readonly EntityMetadata[]): Referencing {
  const keysInto = new Map<string, ForeignKeyMetadata[]>();
  for (const key of metadatas.flatMap(({ foreignKeys }) => foreignKeys)) {
    if (!isAct(key.onDelete) && !isAct(key.onUpdate)) continue;
    const table = qualified(key.referencedEntityMetadata.tablePath);
    const keys = keysInto.get(table);
    if (keys === undefined) keysInto.set(table, [key]);
    else keys.push(key);
  }
  const afterDelete = new Map<string, readonly string[]>();
  for (const table of keysInto.keys())
    afterDelete.set(table, tablesAfter({ table, columns: undefined }, keysInto));
  return (table, updatedColumns) => {
    if (updatedColumns === undefined) return afterDelete.get(table) ?? NONE;
    const keys = keysInto.get(table);
    if (keys?.some((key) => isTouched(key, updatedColumns)) !== true) return NONE;
    return tablesAfter({ table, columns: updatedColumns }, keysInto);
  };
}

function tablesAfter(
  first: Change,
  keysInto: ReadonlyMap<string, readonly ForeignKeyMetadata[]>,
): readonly string[] {
  const changes = [first];
  const seen = new Set<ForeignKeyMetadata | string>();
  const tables = new Set<string>();
  // Grows while it is walked; each key and each table's removal comes once.
  for (const { table, columns } of changes) {
    for (const key of keysInto.get(table) ?? []) {
      const next = consequence(key, columns);
      const mark = next?.columns === undefined ? next?.table : key;
      if (next === undefined || mark === undefined || seen.has(mark)) continue;
      seen.add(mark);
      tables.add(next.table);
      changes.push(next);
    }
  }
  return [...tables];
}

function consequence(key: ForeignKeyMetadata, columns: Change['columns']): Change | undefined {
  const table = qualified(key.entityMetadata.tablePath);
  if (columns === undefined) {
    if (!isAct(key.onDelete)) return undefined;
    return { table, columns: key.onDelete === 'CASCADE' ? undefined : key.columnNames };
  }
  return isTouched(key, columns) ? { table, columns: key.columnNames } : undefined;
}

/** Whether a change of these columns can change what a key refers to, and the server then acts. */
function isTouched(key: ForeignKeyMetadata, columns: readonly string[]): boolean {
  return (
    isAct(key.onUpdate) &&
    columns.length > 0 &&
    key.referencedColumns.some(
      ({ databaseName, generatedType }) => generatedType !== undefined || columns.includes(databaseName),
    )
  );
}

function isAct(action: string | undefined): boolean {
  return action !== undefined && action !== 'NO ACTION' && action !== 'RESTRICT';
}
