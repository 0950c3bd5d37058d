import type { Decimal } from 'decimal.js';
import { moneyColumn, Sharded, ShardedEntity } from 'shardgate';
import { Column, Entity, OneToMany, type Relation } from 'typeorm';
import { Order } from './order.entity';

@Sharded()
@Entity({ schema: 'shop', name: 'customers' })
export class Customer extends ShardedEntity {
  @Column({ type: 'varchar', length: 80 })
  name!: string;

  /** What the customer may still order. */
  @Column(moneyColumn())
  credit!: Decimal;

  @OneToMany(() => Order, (order) => order.customer, { cascade: true })
  orders!: Relation<Order[]>;
}
