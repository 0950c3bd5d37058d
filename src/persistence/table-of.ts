import type { EntityMetadata } from 'typeorm';

/** An entity's table as `schema.table`, without quotes. */
export function tableOf({ schema, tableName }: EntityMetadata): string {
  return `${schema ?? 'public'}.${tableName}`;
}
