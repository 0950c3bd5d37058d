import type { Decimal } from 'decimal.js';
import { moneyColumn, Sharded, ShardedEntity } from 'shardgate';
import { Column, Entity, OneToMany, type Relation } from 'typeorm';
import { Subscription } from './subscription.js';

@Sharded()
@Entity({ schema: 'crm', name: 'customers' })
export class Customer extends ShardedEntity {
  @Column({ type: 'varchar', length: 80 })
  name!: string;

  @Column(moneyColumn({ name: 'credit_limit' }))
  creditLimit!: Decimal;

  @OneToMany(() => Subscription, (subscription) => subscription.customer, { cascade: true })
  subscriptions!: Relation<Subscription[]>;
}
