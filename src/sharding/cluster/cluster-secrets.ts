import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import { ConfigurationError } from '../../common/gateway-error.js';
import { readJson, writePrivateJson } from './private-json.js';

const secretsSchema = z.object({
  adminPassword: z.string().min(1),
  gatewayPassword: z.string().min(1),
  replicationPassword: z.string().min(1),
});

/** The passwords of the servers' roles, made once per data directory. */
export type ClusterSecrets = z.infer<typeof secretsSchema>;

/** Reads the passwords, or makes and keeps new ones (mode 0600). @throws ConfigurationError when the file is damaged */
export async function loadOrCreateSecrets(path: string): Promise<ClusterSecrets> {
  const stored = await readJson(path);
  if (stored !== undefined) {
    const parsed = secretsSchema.safeParse(stored);
    if (!parsed.success) {
      throw new ConfigurationError(`${path} does not hold the servers' passwords; restore it from a backup.`);
    }
    return parsed.data;
  }
  const secrets: ClusterSecrets = {
    adminPassword: randomBytes(24).toString('hex'),
    gatewayPassword: randomBytes(24).toString('hex'),
    replicationPassword: randomBytes(24).toString('hex'),
  };
  await writePrivateJson(path, secrets);
  return secrets;
}
