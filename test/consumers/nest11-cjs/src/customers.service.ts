import { Injectable } from '@nestjs/common';
import { Decimal } from 'decimal.js';
import { DataGateway, InjectShardedRepository, ShardedRepository, type Page } from 'shardgate';
import { LessThanOrEqual } from 'typeorm';
import { Customer } from './customer.entity';
import { Order } from './order.entity';

@Injectable()
export class CustomersService {
  constructor(
    @InjectShardedRepository(Customer) private readonly customers: ShardedRepository<Customer>,
    @InjectShardedRepository(Order) private readonly orders: ShardedRepository<Order>,
    private readonly gateway: DataGateway,
  ) {}

  /** Saves a customer of the user in scope, and the orders that hang on it, in one transaction. */
  register(
    name: string,
    credit: Decimal,
    orders: Pick<Order, 'article' | 'total' | 'placedAt'>[] = [],
  ): Promise<Customer> {
    return this.customers.save(this.customers.create({ name, credit, orders }));
  }

  /** The customers of the user in scope, with their orders. */
  mine(): Promise<Customer[]> {
    return this.customers.find({ order: { name: 'ASC' }, relations: { orders: true } });
  }

  /** The orders of the user in scope up to this total. */
  ordersUpTo(total: Decimal): Promise<Order[]> {
    return this.orders.find({ where: { total: LessThanOrEqual(total) }, order: { total: 'ASC' } });
  }

  /** A page of the customers of the whole tenant, over all shards. */
  everybodys(limit: number, cursor?: string): Promise<Page<Customer>> {
    return this.customers.onAllShards().page({ order: { name: 'ASC' }, limit, cursor });
  }

  /**
   * Places an order and takes its total off the credit: both, or neither.
   *
   * @returns how many orders the customer has now
   */
  placeOrder(customerId: string, article: string, total: Decimal): Promise<number> {
    return this.gateway.transaction({}, async (tx) => {
      const [customer] = await tx.lock(Customer, [customerId]);
      if (customer === undefined) throw new Error('There is no such customer.');
      await tx.getRepository(Order).save({ customerId, article, total, placedAt: new Date() });
      customer.credit = customer.credit.minus(total);
      if (customer.credit.isNegative()) throw new Error('The credit does not suffice.');
      await tx.getRepository(Customer).save(customer);
      const [placed] = await tx.query<{ orders: number }>(
        'SELECT count(*)::int AS orders FROM shop.orders WHERE customer_id = $1',
        [customerId],
      );
      return placed?.orders ?? 0;
    });
  }

  /** What a report needs, in SQL: the tenant's turnover, summed over its shards. */
  async turnover(): Promise<Decimal> {
    const rows = await this.gateway.query<{ turnover: string }>(
      'SELECT coalesce(sum(total), 0)::text AS turnover FROM shop.orders WHERE total > $1',
      ['0'],
      { allShards: true },
    );
    return Decimal.sum(0, ...rows.map(({ turnover }) => turnover));
  }
}
