import { CreateTransfers1763800000002 } from './migrations/create-transfers.js';
import { Transfer } from './transfer.js';

/** The entity of transfers, for the gateway's `entities`. It needs those of accounts. */
export const TRANSFER_ENTITIES = [Transfer] as const;

/** What makes its table, for the gateway's `migrations`, behind those of accounts. */
export const TRANSFER_MIGRATIONS = [CreateTransfers1763800000002] as const;
