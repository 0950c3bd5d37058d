import { jest } from '@jest/globals';
import pg from 'pg';

/** `"tenant_id" = $1`, with or without the table before it, as every statement of the library says it. */
const TENANT_CONDITION = /(?:"?\w+"?\.)*"?tenant_id"?\s*=\s*\$(\d+)/g;

/**
 * Takes the tenant's condition out of the statements that this test process sends, on their way into the
 * driver's protocol: the library runs as it is, and only row-level security is left to hold its statements.
 * Statements stay prepared on a connection, so a gateway whose statements lost it is used for nothing else.
 */
export class TenantConditions {
  #isOff = false;
  #removed = 0;

  constructor() {
    const { prototype } = pg.Connection;
    const parse = Reflect.get<typeof prototype, 'parse'>(prototype, 'parse');
    const instead = (text: string): string => this.#withoutCondition(text);
    jest.spyOn(prototype, 'parse').mockImplementation(function (this: pg.Connection, query, more) {
      parse.call(this, { ...query, text: instead(query.text) }, more);
    });
  }

  /** How many conditions were taken out so far. */
  get removed(): number {
    return this.#removed;
  }

  /** Runs `work` without them. */
  async without<T>(work: () => Promise<T>): Promise<T> {
    this.#isOff = true;
    try {
      return await work();
    } finally {
      this.#isOff = false;
    }
  }

  #withoutCondition(text: string): string {
    if (!this.#isOff) return text;
    return text.replace(TENANT_CONDITION, (_condition, parameter: string) => {
      this.#removed += 1;
      // The parameter is still sent and has to be of some type.
      return `$${parameter}::text IS NOT NULL`;
    });
  }
}
