import { accountViewSchema } from '../../modules/accounts/account-view.js';
import { problemSchema } from '../../modules/http/problem.js';
import { transactionViewSchema } from '../../modules/transactions/transaction-view.js';
import { accountOn, type DemoBank, type DemoScene } from './demo-bank.js';

/** Deposits, withdraws, says the same thing twice, and asks for what must be refused. */
export async function moveMoney(scene: DemoScene, bank: DemoBank): Promise<void> {
  const { client, narrator } = scene;
  const { key } = bank;
  narrator.chapter('Money moves');
  const { id, userId, balance } = accountOn(bank, 's0');
  const move = (kind: 'deposits' | 'withdrawals', amount: string, idempotencyKey?: string) => ({
    method: 'POST' as const,
    path: `/v1/accounts/${id}/${kind}`,
    key,
    userId,
    body: { amount },
    ...(idempotencyKey !== undefined && { headers: { 'idempotency-key': idempotencyKey } }),
  });

  narrator.say(`${userId} has ${balance} EUR.`);
  const deposit = await client.send(transactionViewSchema, move('deposits', '250.00', 'salary-may'));
  narrator.say(
    `Deposit of 250.00, with Idempotency-Key salary-may: balance ${deposit.body.balanceAfter ?? ''}.`,
  );
  const again = await client.send(transactionViewSchema, move('deposits', '250.00', 'salary-may'));
  narrator.say(
    `The same request again: ${again.replayed ? 'replayed' : 'NOT replayed'}, ` +
      `${again.body.id === deposit.body.id ? 'the same transaction' : 'ANOTHER transaction'}.`,
  );
  const misused = await client.send(problemSchema, {
    ...move('deposits', '999.00', 'salary-may'),
    expect: 409,
  });
  narrator.say(`The same key with another amount: ${misused.status} ${misused.body.code}.`);
  const withdrawal = await client.send(transactionViewSchema, move('withdrawals', '40.50'));
  narrator.say(`Withdrawal of 40.50: balance ${withdrawal.body.balanceAfter ?? ''}.`);

  narrator.chapter('What is refused');
  const overdraft = await client.send(problemSchema, {
    ...move('withdrawals', '1000000.00'),
    expect: 422,
  });
  narrator.say('A withdrawal of more than there is, answered with a problem document (RFC 9457):');
  for (const line of JSON.stringify(overdraft.body, null, 2).split('\n')) narrator.say(`  ${line}`);
  await takeNumberAgain(scene, bank);
}

/** An account number is unique within the tenant, also for customers on different shards. */
async function takeNumberAgain({ client, narrator }: DemoScene, bank: DemoBank): Promise<void> {
  const taken = accountOn(bank, 's0');
  const other = accountOn(bank, 's1');
  const refused = await client.send(problemSchema, {
    method: 'POST',
    path: '/v1/accounts',
    key: bank.key,
    userId: other.userId,
    body: { accountNumber: taken.accountNumber, currency: 'EUR' },
    expect: 409,
  });
  narrator.say(
    `${other.userId}, who lives on s1, asks for ${taken.accountNumber} of ${taken.userId} on s0: ` +
      `${refused.status} ${refused.body.code}.`,
  );
  const still = await client.send(accountViewSchema, {
    method: 'GET',
    path: `/v1/accounts/${taken.id}`,
    key: bank.key,
    userId: taken.userId,
  });
  narrator.say(`The balance of ${taken.userId} after all this: ${still.body.balance} EUR.`);
}
