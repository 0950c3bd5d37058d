import { ConfigurationError, GatewayError } from '../../common/gateway-error.js';
import { errorCodeOf } from './private-json.js';
import { ServerStartError } from './postgres-server.js';

/** System errors of a data directory that cannot be used, and what to do about each. */
const REMEDIES: Readonly<Record<string, string>> = {
  ENOSPC: 'the disk is full; make room, or choose another data directory.',
  EDQUOT: 'the disk quota is used up; make room, or choose another data directory.',
  EACCES: 'this user may not write there; change the rights, or choose another data directory.',
  EPERM: 'this user may not write there; change the rights, or choose another data directory.',
  EROFS: 'that file system is read-only; choose another data directory.',
  ENAMETOOLONG: 'the path is too long; choose a shorter one.',
  ENOTDIR: 'a part of the path is a file; choose another data directory.',
  EEXIST: 'a file of that name is in the way; choose another data directory.',
};

/** Why a cluster did not start, as an error that says what to do. */
export function explainStartFailure(error: unknown, dataDir: string): GatewayError {
  if (error instanceof GatewayError) return error;
  if (error instanceof ServerStartError) {
    if (error.serverLog.includes('No space left on device'))
      return unusable(dataDir, REMEDIES.ENOSPC ?? '', error);
    const reason =
      /(?:FATAL|PANIC): {2}(.*)/.exec(error.serverLog)?.[1] ??
      error.serverLog.trim().split('\n').at(-1) ??
      '';
    return new ConfigurationError(
      `A server of the embedded cluster ${error.message}: ${reason || 'it gave no reason'}. Its log is ${error.logFile}.`,
      error,
    );
  }
  const remedy = REMEDIES[errorCodeOf(error) ?? ''];
  if (remedy !== undefined) return unusable(dataDir, remedy, error);
  const reason = String(error);
  return new ConfigurationError(`The embedded cluster in ${dataDir} did not start: ${reason}`, error);
}

function unusable(dataDir: string, remedy: string, cause: unknown): ConfigurationError {
  return new ConfigurationError(`The data directory ${dataDir} cannot be used: ${remedy}`, cause);
}
