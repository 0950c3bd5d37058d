/**
 * The log that the library writes to; pino fits it as it is. Fields hold ids, counts and durations: never
 * SQL, parameters, keys or amounts.
 */
export interface Log {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** A log that keeps silent: the default of the library until its host gives it one. */
export const SILENT_LOG: Log = { debug: silent, info: silent, warn: silent, error: silent };

function silent(): void {
  // Nobody listens.
}
