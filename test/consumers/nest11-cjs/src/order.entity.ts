import type { Decimal } from 'decimal.js';
import { moneyColumn, Sharded, ShardedEntity } from 'shardgate';
import { Column, Entity, JoinColumn, ManyToOne, type Relation } from 'typeorm';
import { Customer } from './customer.entity';

@Sharded()
@Entity({ schema: 'shop', name: 'orders' })
export class Order extends ShardedEntity {
  @Column({ type: 'text' })
  article!: string;

  @Column(moneyColumn())
  total!: Decimal;

  @Column({ name: 'placed_at', type: 'timestamptz' })
  placedAt!: Date;

  @Column({ name: 'customer_id', type: 'uuid' })
  customerId!: string;

  @ManyToOne(() => Customer, (customer) => customer.orders)
  @JoinColumn([
    { name: 'tenant_id', referencedColumnName: 'tenantId' },
    { name: 'customer_id', referencedColumnName: 'id' },
  ])
  customer!: Relation<Customer>;
}
