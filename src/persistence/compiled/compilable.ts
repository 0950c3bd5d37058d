import type { EntityMetadata } from 'typeorm';
import { areRowsToldApart } from './column-kind.js';
import { readColumnsOf } from './row-reader.js';

/**
 * Whether an entity's rows become entities by nothing but its columns: no inheritance, no tree, no properties
 * that are computed or loaded when touched, nobody to be told of a load, no cache in between.
 */
export function isCompilable(metadata: EntityMetadata): boolean {
  const { options, driver } = metadata.dataSource;
  return (
    options.type === 'postgres' &&
    metadata.tableType === 'regular' &&
    metadata.inheritancePattern === undefined &&
    metadata.childEntityMetadatas.length === 0 &&
    metadata.discriminatorColumn === undefined &&
    metadata.treeType === undefined &&
    metadata.lazyRelations.length === 0 &&
    metadata.relationIds.length === 0 &&
    metadata.afterLoadListeners.length === 0 &&
    // TypeORM takes the property of a date of deletion for the entity's own, even within an embedded.
    metadata.deleteDateColumn?.embeddedMetadata === undefined &&
    metadata.allEmbeddeds.every(({ isArray }) => !isArray) &&
    metadata.columns.every((column) => !column.isVirtualProperty) &&
    metadata.primaryColumns.every((column) => !column.isVirtual) &&
    areRowsToldApart(metadata.primaryColumns) &&
    readColumnsOf(metadata).every(({ type }) => !driver.spatialTypes.includes(type)) &&
    options.typename === undefined &&
    (options.cache === undefined || options.cache === false)
  );
}
