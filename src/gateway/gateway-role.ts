import { parse } from 'pg-connection-string';
import { ConfigurationError } from '../common/gateway-error.js';

/** The role that a url logs in as. @throws ConfigurationError when it names none */
export function gatewayRoleOf(url: string): string {
  const { user } = parse(url);
  if (user === undefined || user === '') {
    throw new ConfigurationError('A url names no user; write postgresql://user:password@host:port/database.');
  }
  return user;
}
