/** What the server does for one transfer of pgbench's: the same checks and rows as ours. */
export const PGBENCH_SCHEMA_SQL = `
  DROP SCHEMA IF EXISTS bench CASCADE;
  CREATE SCHEMA bench;
  CREATE TABLE bench.places (place int PRIMARY KEY, id uuid NOT NULL);
  CREATE FUNCTION bench.transfer(tenant text, from_place int, to_place int, amount numeric, actor text)
    RETURNS uuid LANGUAGE plpgsql AS $$
  DECLARE
    from_id uuid := (SELECT id FROM bench.places WHERE place = from_place);
    to_id uuid := (SELECT id FROM bench.places WHERE place = to_place);
    given_key text := gen_random_uuid();
    new_id uuid := uuidv7();
    new_debit uuid := uuidv7();
    account finance.accounts;
    payer finance.accounts;
    payee finance.accounts;
    at timestamptz;
  BEGIN
    FOR account IN
      SELECT * FROM finance.accounts
      WHERE tenant_id = tenant AND kind = 'USER' AND id IN (from_id, to_id) ORDER BY id FOR NO KEY UPDATE
    LOOP
      IF account.id = from_id THEN payer := account; ELSE payee := account; END IF;
    END LOOP;
    PERFORM 1 FROM shardgate.idempotency_keys
    WHERE tenant_id = tenant AND user_id = payer.user_id AND key = given_key;
    IF FOUND OR payer.id IS NULL OR payee.id IS NULL OR payer.status <> 'ACTIVE' OR payee.status <> 'ACTIVE'
      OR payer.currency <> payee.currency OR payer.balance - payer.held + payer.overdraft_limit < amount
    THEN RAISE EXCEPTION 'refused';
    END IF;
    at := greatest(date_trunc('milliseconds', clock_timestamp()), payer.updated_at, payee.updated_at);
    UPDATE finance.accounts SET balance = payer.balance - amount, version = payer.version + 1, updated_at = at
    WHERE tenant_id = tenant AND id = from_id;
    UPDATE finance.accounts SET balance = payee.balance + amount, version = payee.version + 1, updated_at = at
    WHERE tenant_id = tenant AND id = to_id;
    INSERT INTO finance.transfers
      (tenant_id, id, user_id, bucket, from_account_id, to_account_id, debit_id, amount, posted_amount, currency,
       status, reference, actor, created_at, completed_at)
    VALUES (tenant, new_id, payer.user_id, payer.bucket, from_id, to_id, new_debit, amount, amount, payer.currency,
            'COMPLETED', given_key, actor, at, at);
    INSERT INTO finance.transactions
      (tenant_id, type, posting_id, id, user_id, bucket, account_id, transfer_id, status, amount, balance_after,
       account_version, reference, actor, executed_at)
    VALUES
      (tenant, 'TRANSFER', new_id, new_debit, payer.user_id, payer.bucket, from_id, new_id, 'COMPLETED', -amount,
       payer.balance - amount, payer.version + 1, given_key, actor, at),
      (tenant, 'TRANSFER', new_id, uuidv7(), payee.user_id, payee.bucket, to_id, new_id, 'COMPLETED', amount,
       payee.balance + amount, payee.version + 1, given_key, actor, at);
    INSERT INTO shardgate.idempotency_keys (tenant_id, user_id, key, bucket, operation, request, status, response)
    VALUES (
      tenant, payer.user_id, given_key, payer.bucket, 'transfer',
      jsonb_build_object('fromAccountId', from_id, 'toAccountId', to_id, 'amount', amount::text,
                         'reference', given_key, 'pending', null, 'timeoutSeconds', null),
      201,
      jsonb_build_object('requestId', null, 'body', jsonb_build_object(
        'id', new_id, 'fromAccountId', from_id, 'toAccountId', to_id, 'amount', amount::text,
        'postedAmount', amount::text, 'currency', payer.currency, 'status', 'COMPLETED', 'reference', given_key,
        'actor', actor, 'createdAt', at, 'expiresAt', null, 'completedAt', at))
    );
    RETURN new_id;
  END $$`;

/** pgbench knows numbers only: accounts have places from 1. */
export const PLACES_SQL = `
  INSERT INTO bench.places SELECT place, id FROM unnest($1::uuid[]) WITH ORDINALITY AS given (id, place)`;

/** What each of pgbench's clients does again and again. */
export function pgbenchScript(tenantId: string, amount: string, actor: string): string {
  return [
    String.raw`\set from random(1, :accounts)`,
    String.raw`\set to (:from + random(1, :accounts - 1) - 1) % :accounts + 1`,
    `SELECT bench.transfer('${tenantId}', :from, :to, ${amount}, '${actor}');`,
    '',
  ].join('\n');
}
