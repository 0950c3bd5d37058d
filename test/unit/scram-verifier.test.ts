import { describe, expect, it } from '@jest/globals';
import { scramVerifier } from '../../src/sharding/tenant-roles/scram-verifier.js';
import { TenantCredentials } from '../../src/sharding/tenant-roles/tenant-credentials.js';

const ORIGIN = {
  installationId: '0190b8e0-0000-8abc-8000-000000000001',
  shardId: 's0',
  primaryUrl: 'postgresql://gateway:secret@127.0.0.1:5432/shard',
};

describe('scramVerifier', () => {
  it('follows the example of RFC 7677', () => {
    const salt = Buffer.from('W22ZaJ0SNY7soEsUEjb6gQ==', 'base64');
    expect(scramVerifier('pencil', salt, 4096)).toBe(
      'SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$' +
        'WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=',
    );
  });
});

describe('TenantCredentials', () => {
  const credentials = (change: Partial<typeof ORIGIN> = {}) =>
    new TenantCredentials({ ...ORIGIN, ...change });

  it('gives every process the same, and says nothing of the tenant in the name', () => {
    for (const what of ['roleName', 'password', 'verifier'] as const) {
      expect(credentials()[what]('acme')).toBe(credentials()[what]('acme'));
    }
    expect(credentials().roleName('acme')).toMatch(/^shardgate_t_[0-9a-f]{48}$/);
  });

  it('differs by tenant, shard, installation and the secret', () => {
    const passwords = [
      credentials().password('acme'),
      credentials().password('acme2'),
      credentials({ shardId: 's1' }).password('acme'),
      credentials({ installationId: ORIGIN.installationId.replace('1', '2') }).password('acme'),
      credentials({ primaryUrl: ORIGIN.primaryUrl.replace('secret', 'other') }).password('acme'),
    ];
    expect(new Set(passwords).size).toBe(passwords.length);
    expect(credentials().roleName('acme')).not.toBe(credentials({ shardId: 's1' }).roleName('acme'));
  });

  it('takes the password as the server knows it, not as the url writes it', () => {
    const written = credentials({ primaryUrl: 'postgresql://gateway:s%65cret@127.0.0.1/shard' });
    expect(written.password('acme')).toBe(credentials().password('acme'));
  });
});
