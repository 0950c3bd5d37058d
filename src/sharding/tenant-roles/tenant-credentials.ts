import { createHash, createHmac } from 'node:crypto';
import { parse } from 'pg-connection-string';
import { ConfigurationError } from '../../common/gateway-error.js';
import { scramVerifier } from './scram-verifier.js';

/** PostgreSQL's own default. The password has 256 random bits: more would protect nothing. */
const SCRAM_ITERATIONS = 4_096;
const SALT_BYTES = 16;

/** Of a hash of 256 bits; what is left makes two tenants of one name as unlikely as a guessed password. */
const ROLE_HASH_CHARACTERS = 48;

/** Whose logins these are. */
export interface CredentialsOrigin {
  readonly installationId: string;
  readonly shardId: string;
  /** The url of the shard's primary with the gateway's own login; its password is the secret behind all others. */
  readonly primaryUrl: string;
}

/**
 * The names and passwords of the tenants' roles on one shard. They are derived and nowhere kept: every
 * process arrives at the same, and a new password of the gateway's login gives new ones to all tenants.
 * Whoever knows that password can act for every tenant anyway.
 */
export class TenantCredentials {
  readonly #origin: CredentialsOrigin;
  readonly #verifiers = new Map<string, string>();

  constructor(origin: CredentialsOrigin) {
    this.#origin = origin;
  }

  /** The role of a tenant: the same that `shardgate.ensure_tenant_role` makes. */
  roleName(tenantId: string): string {
    const { installationId, shardId } = this.#origin;
    const hash = createHash('sha256').update(`${installationId}/${shardId}/${tenantId}`).digest('hex');
    return `shardgate_t_${hash.slice(0, ROLE_HASH_CHARACTERS)}`;
  }

  /** The password with which a tenant's role logs in. @throws ConfigurationError when the url has none to derive it from */
  password(tenantId: string): string {
    return this.#derive('password', tenantId).toString('base64url');
  }

  /**
   * What the server keeps to check that password; always the same text for the same tenant.
   *
   * @throws ConfigurationError when the url has no password
   */
  verifier(tenantId: string): string {
    const known = this.#verifiers.get(tenantId);
    if (known !== undefined) return known;
    const salt = this.#derive('salt', tenantId).subarray(0, SALT_BYTES);
    const verifier = scramVerifier(this.password(tenantId), salt, SCRAM_ITERATIONS);
    this.#verifiers.set(tenantId, verifier);
    return verifier;
  }

  #derive(purpose: 'password' | 'salt', tenantId: string): Buffer {
    const { password } = parse(this.#origin.primaryUrl);
    if (password === undefined || password === '') {
      throw new ConfigurationError(
        `Raw SQL needs a password in the url of shard ${this.#origin.shardId}: the passwords of the tenants' ` +
          'logins are derived from it; give the gateway’s login one, and write it into the url.',
      );
    }
    return createHmac('sha256', password)
      .update(`shardgate tenant role ${purpose} ${this.roleName(tenantId)}`)
      .digest();
  }
}
