import { createHash, createHmac, pbkdf2Sync } from 'node:crypto';

/**
 * What a PostgreSQL server keeps in place of a password (RFC 5802, RFC 7677): enough to check a login, not
 * enough to make one. Computed here, the password itself never travels and can reach no server's log.
 */
export function scramVerifier(password: string, salt: Buffer, iterations: number): string {
  const salted = pbkdf2Sync(password, salt, iterations, 32, 'sha256');
  const storedKey = createHash('sha256').update(hmac(salted, 'Client Key')).digest();
  const parts = [salt, storedKey, hmac(salted, 'Server Key')].map((part) => part.toString('base64'));
  return `SCRAM-SHA-256$${iterations}:${parts[0] ?? ''}$${parts[1] ?? ''}:${parts[2] ?? ''}`;
}

function hmac(key: Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}
