import { pino, type Logger } from 'pino';

const STDERR = 2;

/** The service's log: JSON lines on standard error. Standard output is for the person who starts it. */
export function serviceLog(level: string): Logger {
  return pino(
    {
      level,
      base: { pid: process.pid },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      // Of an error only what cannot quote a value: drivers' messages can.
      serializers: { err: describeError, error: describeError },
    },
    pino.destination({ fd: STDERR, sync: true }),
  );
}

function describeError(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  return { name: error.name, code: 'code' in error ? error.code : undefined };
}
