import type { SqlExecutor } from '../../common/sql-executor.js';
import { mintApiKey, type MintedApiKey } from './api-key.js';

/** One statement, so that there is an operator's key at every moment. */
const ROTATE_SQL = `
  with ended as (
    update shardgate.api_keys set revoked_at = clock_timestamp() where tenant_id is null and revoked_at is null
  )
  insert into shardgate.api_keys (id, tenant_id, secret_hash) values ($1, null, $2)
`;

/** The operator's keys in the catalog. They do not hold in processes that have SHARDGATE_OPERATOR_KEY. */
export class OperatorKeys {
  readonly #catalog: SqlExecutor;
  readonly #mint: () => MintedApiKey;

  constructor(catalog: SqlExecutor, mint: () => MintedApiKey = () => mintApiKey()) {
    this.#catalog = catalog;
    this.#mint = mint;
  }

  /** Makes a new key and ends all others. @returns the key in clear, for this once */
  async rotate(): Promise<string> {
    const { keyId, key, secretHash } = this.#mint();
    await this.#catalog.query(ROTATE_SQL, [keyId, secretHash]);
    return key;
  }
}
