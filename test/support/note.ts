import 'reflect-metadata';
import { Column, Entity } from 'typeorm';
import { Sharded, ShardedEntity } from '../../src/index.js';

/** A row of `notes.notes`, which the migrations of `notes-migrations.ts` make. */
@Sharded()
@Entity({ schema: 'notes', name: 'notes' })
export class Note extends ShardedEntity {
  @Column({ type: 'text', nullable: true })
  body!: string | null;

  @Column({ type: 'text', nullable: true })
  title!: string | null;
}
