import type { Referencing } from '../persistence/statements/written-rows.js';
import type { DatabaseNode } from '../sharding/connections/database-node.js';

/** Tables whose writes do more than their statements say. */
const SIDE_EFFECTS_SQL = `
  SELECT n.nspname || '.' || c.relname AS "table", effects.kind
  FROM (
    SELECT tgrelid AS oid, 'code' AS kind FROM pg_trigger WHERE NOT tgisinternal
    UNION SELECT ev_class, 'code' FROM pg_rewrite WHERE rulename <> '_RETURN'
    UNION SELECT inhrelid, 'code' FROM pg_inherits
    UNION SELECT inhparent, 'code' FROM pg_inherits
    UNION SELECT confrelid, 'key' FROM pg_constraint
          WHERE contype = 'f' AND (confdeltype IN ('c', 'n', 'd') OR confupdtype IN ('c', 'n', 'd'))
  ) AS effects
  JOIN pg_class c ON c.oid = effects.oid
  JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname NOT IN ('pg_catalog', 'information_schema')`;

interface SideEffectRow {
  readonly table: string;
  readonly kind: 'code' | 'key';
}

/**
 * The tables of which a write can change rows of other tables: by triggers, rules, inheritance, or by foreign
 * keys that the entities do not declare. What such a write changed cannot be told from its statement.
 */
export class SideEffects {
  readonly #referencing: Referencing;
  readonly #tables = new Set<string>();

  /** @param referencing the foreign keys that are known */
  constructor(referencing: Referencing) {
    this.#referencing = referencing;
  }

  /** Whether a write of this table may change rows of others. */
  has(table: string): boolean {
    return this.#tables.has(table);
  }

  /** Asks a shard's primary for its tables. What was found once stays. */
  async learn(primary: DatabaseNode): Promise<void> {
    const rows = await primary.query<SideEffectRow & Record<string, unknown>>(SIDE_EFFECTS_SQL);
    for (const { table, kind } of rows) {
      if (kind === 'code' || this.#referencing(table).length === 0) this.#tables.add(table);
    }
  }
}
