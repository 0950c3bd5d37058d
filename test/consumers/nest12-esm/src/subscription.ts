import { Sharded, ShardedEntity } from 'shardgate';
import { Column, Entity, JoinColumn, ManyToOne, type Relation } from 'typeorm';
import { Customer } from './customer.js';

@Sharded()
@Entity({ schema: 'crm', name: 'subscriptions' })
export class Subscription extends ShardedEntity {
  @Column({ type: 'text' })
  plan!: string;

  @Column({ type: 'integer', default: 1 })
  seats!: number;

  @Column({ name: 'customer_id', type: 'uuid' })
  customerId!: string;

  @ManyToOne(() => Customer, (customer) => customer.subscriptions)
  @JoinColumn([
    { name: 'tenant_id', referencedColumnName: 'tenantId' },
    { name: 'customer_id', referencedColumnName: 'id' },
  ])
  customer!: Relation<Customer>;
}
