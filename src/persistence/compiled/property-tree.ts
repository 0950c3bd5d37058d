import type { EntityMetadata } from 'typeorm';
import type { ColumnMetadata } from 'typeorm/metadata/ColumnMetadata.js';

/** A property that is a column of the entity's table. */
export interface ColumnProperty {
  readonly kind: 'column';
  readonly column: ColumnMetadata;
  /** The column's name, quoted. */
  readonly sql: string;
}

/** A property whose value is an object that the columns below make up. */
interface EmbeddedProperty {
  readonly kind: 'embedded';
  readonly properties: PropertyTree;
}

/** The properties of an entity or embedded that conditions and orderings may name; relations are not in it. */
export type PropertyTree = ReadonlyMap<string, ColumnProperty | EmbeddedProperty>;

type GrowingTree = Map<string, ColumnProperty | { kind: 'embedded'; properties: GrowingTree }>;

/** All columns and embeddeds by their property paths. */
export function propertyTreeOf(metadata: EntityMetadata): PropertyTree {
  const { driver } = metadata.dataSource;
  const root: GrowingTree = new Map();
  for (const embedded of metadata.allEmbeddeds) subtree(root, embedded.parentPropertyNames);
  for (const column of metadata.columns) {
    // A join column that no property shows has the relation's path.
    if (column.isVirtual || metadata.hasRelationWithPropertyPath(column.propertyPath)) continue;
    const parent = subtree(root, column.embeddedMetadata?.parentPropertyNames ?? []);
    parent.set(column.propertyName, { kind: 'column', column, sql: driver.escape(column.databaseName) });
  }
  return root;
}

/** The column of this property, or property path given as its parts. */
export function findColumn(
  tree: PropertyTree,
  propertyName: string,
  parents: readonly string[] = [],
): ColumnProperty | undefined {
  let properties = tree;
  for (const parent of parents) {
    const embedded = properties.get(parent);
    if (embedded?.kind !== 'embedded') return undefined;
    ({ properties } = embedded);
  }
  const property = properties.get(propertyName);
  return property?.kind === 'column' ? property : undefined;
}

function subtree(root: GrowingTree, propertyNames: readonly string[]): GrowingTree {
  let tree = root;
  for (const name of propertyNames) {
    let embedded = tree.get(name);
    if (embedded?.kind !== 'embedded') {
      embedded = { kind: 'embedded', properties: new Map() };
      tree.set(name, embedded);
    }
    tree = embedded.properties;
  }
  return tree;
}
