import { ACCOUNT_ENTITIES, ACCOUNT_MIGRATIONS } from './modules/accounts/accounts.persistence.js';
import { TRANSFER_ENTITIES, TRANSFER_MIGRATIONS } from './modules/transfers/transfers.persistence.js';

/** What the standalone service adds to the servers of its configuration. */
export const SERVICE_SCHEMA = {
  entities: [...ACCOUNT_ENTITIES, ...TRANSFER_ENTITIES],
  migrations: [...ACCOUNT_MIGRATIONS, ...TRANSFER_MIGRATIONS],
};
