import { Injectable } from '@nestjs/common';
import { Decimal } from 'decimal.js';
import { DataGateway, InjectShardedRepository, ShardedRepository, type Page } from 'shardgate';
import { MoreThanOrEqual } from 'typeorm';
import { Customer } from './customer.js';
import { Subscription } from './subscription.js';

@Injectable()
export class CustomerService {
  constructor(
    @InjectShardedRepository(Customer) private readonly customers: ShardedRepository<Customer>,
    private readonly gateway: DataGateway,
  ) {}

  /** Saves a customer and the subscriptions that hang on it, in one transaction. */
  add(name: string, plans: string[]): Promise<Customer> {
    const subscriptions = plans.map((plan) => ({ plan }));
    return this.customers.save(
      this.customers.create({ name, creditLimit: new Decimal('1500'), subscriptions }),
    );
  }

  /** The customers of the user in scope whose limit is at least this. */
  withLimit(atLeast: Decimal): Promise<Customer[]> {
    return this.customers.find({
      where: { creditLimit: MoreThanOrEqual(atLeast) },
      order: { name: 'ASC' },
      relations: { subscriptions: true },
    });
  }

  /** A customer of the tenant, whoever's it is: the id says where the row is. */
  byId(id: string): Promise<Customer | null> {
    return this.customers.findById(id, { relations: { subscriptions: true } });
  }

  /** The customers of another user of the tenant. */
  ofUser(userId: string): Promise<Customer[]> {
    return this.customers.forUser(userId).find({ order: { name: 'ASC' } });
  }

  /** A page over all users of the tenant, on all shards. */
  everybodys(limit: number, cursor?: string): Promise<Page<Customer>> {
    return this.customers.onAllShards().page({ order: { name: 'ASC' }, limit, cursor });
  }

  /** Adds seats and takes their price off the limit: both, or neither. */
  addSeats(customerId: string, plan: string, seats: number, price: Decimal): Promise<Decimal> {
    return this.gateway.transaction({}, async (tx) => {
      const [customer] = await tx.lock(Customer, [customerId]);
      if (customer === undefined) throw new Error('There is no such customer.');
      await tx.getRepository(Subscription).increment({ customerId, plan }, 'seats', seats);
      customer.creditLimit = customer.creditLimit.minus(price);
      if (customer.creditLimit.isNegative()) throw new Error('The limit does not suffice.');
      await tx.getRepository(Customer).save(customer);
      return customer.creditLimit;
    });
  }

  /** What a report needs, in SQL: seats per plan of the tenant, summed over its shards. */
  async seatsPerPlan(): Promise<Map<string, number>> {
    const rows = await this.gateway.query<{ plan: string; seats: number }>(
      'SELECT plan, sum(seats)::int AS seats FROM crm.subscriptions GROUP BY plan',
      [],
      { allShards: true },
    );
    const total = new Map<string, number>();
    for (const { plan, seats } of rows) total.set(plan, (total.get(plan) ?? 0) + seats);
    return total;
  }
}
