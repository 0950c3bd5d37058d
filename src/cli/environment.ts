import { z } from 'zod';
import { ConfigurationError } from '../common/gateway-error.js';

const PORT_DEFAULT = 3000;
const PORT_MAX = 65_535;
const OPERATOR_KEY_LENGTH_MIN = 16;

/** An empty variable is one that is not set. */
const text = z
  .string()
  .optional()
  .transform((value) => (value === '' ? undefined : value));

/** A port from the environment or the command line; 0 takes a free one. */
export const portSchema = z
  .string()
  .refine((value) => /^\d{1,5}$/.test(value) && Number(value) <= PORT_MAX, {
    error: `must be a port from 0 to ${PORT_MAX}`,
  })
  .transform(Number);

const environment = z.object({
  PORT: text.pipe(portSchema.prefault(String(PORT_DEFAULT))),
  HOST: text.transform((host) => host ?? '127.0.0.1'),
  SHARDGATE_CONFIG: text,
  SHARDGATE_OPERATOR_KEY: text.pipe(
    z
      .string()
      .regex(/^[\x21-\x7e]+$/, 'must be printable, without blanks')
      .min(OPERATOR_KEY_LENGTH_MIN, `must have at least ${OPERATOR_KEY_LENGTH_MIN} characters`)
      .optional(),
  ),
  SHARDGATE_DATA_DIR: text.transform((directory) => directory ?? '.shardgate'),
  LOG_LEVEL: text.pipe(
    z
      .enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'], {
        error: 'must be trace, debug, info, warn, error, fatal or silent',
      })
      .default('info'),
  ),
});

/** What the environment says, with defaults for what it does not say. */
export interface Environment {
  readonly port: number;
  readonly host: string;
  /** The configuration file; undefined: the embedded cluster. */
  readonly configFile: string | undefined;
  readonly operatorKey: string | undefined;
  readonly dataDir: string;
  readonly logLevel: string;
}

/** Reads the environment. @throws ConfigurationError that names every variable at fault */
export function readEnvironment(variables: NodeJS.ProcessEnv = process.env): Environment {
  const parsed = environment.safeParse(variables);
  if (!parsed.success) {
    const faults = parsed.error.issues.map(({ path, message }) => `${path.join('.')} ${message}`);
    throw new ConfigurationError(`The environment is not usable: ${faults.join('; ')}.`);
  }
  const { data } = parsed;
  return {
    port: data.PORT,
    host: data.HOST,
    configFile: data.SHARDGATE_CONFIG,
    operatorKey: data.SHARDGATE_OPERATOR_KEY,
    dataDir: data.SHARDGATE_DATA_DIR,
    logLevel: data.LOG_LEVEL,
  };
}
