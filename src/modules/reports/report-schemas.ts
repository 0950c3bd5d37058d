import { z } from 'zod';
import { currencySchema } from '../http/schemas.js';

/** The query of the report of balances. */
export const balancesQuerySchema = z.strictObject({ currency: currencySchema.optional() });
