import { laterPosition, type ShardPosition } from '../common/shard-position.js';
import type { TableRows, WrittenRows } from './table-rows.js';
import { Tag } from './tag.js';

/** Whose rows, and where. */
export interface RowsPlace {
  readonly shardId: string;
  readonly tenantId: string;
}

/** Changed tags that are kept, until every replica shows the change, for answers that are still to be made. */
const RECENT_MAX = 20_000;

/**
 * The tags that somebody holds. One that nobody holds is dropped, since no answer depends on it; but not before
 * every replica shows its latest change, or a replica that is behind would be believed. Those that are too many
 * for that leave their position behind for the whole shard.
 */
export class Tags {
  readonly #isEverywhere: (position: ShardPosition) => boolean;
  readonly #tags = new Map<string, Tag>();
  /** Per shard what a new tag begins with. */
  readonly #floors = new Map<string, ShardPosition>();
  /** Tags that are held because of their position, and which change of theirs each is in line with; oldest first. */
  readonly #recent = new Map<Tag, number>();
  /** Goes along these; it is kept, because a new one would first pass the places of all that have left. */
  #line = this.#recent.keys();
  /** Where it stands; undefined where it has to go on. */
  #oldest: Tag | undefined;
  #changes = 0;

  /** @param isEverywhere whether every node of a shard shows what lies before a position of it */
  constructor(isEverywhere: (position: ShardPosition) => boolean) {
    this.#isEverywhere = isEverywhere;
  }

  /** How many changes there were. */
  get changes(): number {
    return this.#changes;
  }

  /** How many tags there are. */
  get size(): number {
    return this.#tags.size;
  }

  /**
   * Holds the tags of an answer that is made of these rows; to be taken before it is asked for. That there is no
   * row of an id changes with the write that makes one: it names the id, or any row of the table.
   */
  holdForAnswer(place: RowsPlace, tables: readonly TableRows[]): readonly Tag[] {
    const tags = [this.#hold(shardTag(place)), this.#hold(tenantTag(place))];
    for (const { table, ids } of tables) {
      tags.push(this.#hold(tableTag(ids === undefined ? 'any' : 'all', place, table)));
      for (const id of ids ?? []) tags.push(this.#hold(rowTag(place, table, id)));
    }
    return tags;
  }

  /** Holds once more. */
  holdAgain(tags: readonly Tag[]): void {
    for (const tag of tags) tag.holders += 1;
  }

  /** Holds the tags that a write changes, if it is kept. */
  holdForWrite(place: RowsPlace, rows: WrittenRows): readonly Tag[] {
    if (rows === 'anything') return [this.#hold(tenantTag(place))];
    const tags: Tag[] = [];
    for (const { table, ids } of rows) {
      tags.push(this.#hold(tableTag('any', place, table)));
      if (ids === undefined) tags.push(this.#hold(tableTag('all', place, table)));
      else for (const id of ids) tags.push(this.#hold(rowTag(place, table, id)));
    }
    return tags;
  }

  /** Holds the tag of everything on a shard. */
  holdForShard(shardId: string): readonly Tag[] {
    return [this.#hold(shardTag({ shardId }))];
  }

  /** Says that these have changed, and how far a node must be to show it. */
  change(tags: readonly Tag[], position: ShardPosition): void {
    this.#changes += 1;
    for (const tag of tags) {
      tag.changedAt = this.#changes;
      tag.position = laterPosition(tag.position, position);
      // One that is in line goes to its end when it comes to the front: of one that changes all the time, a map
      // would else gather as many removed places as there are changes, and go through them each time.
      if (this.#recent.has(tag)) continue;
      this.#recent.set(tag, tag.changedAt);
      tag.holders += 1;
    }
    this.#forgetOld();
  }

  /** Lets go of tags. */
  release(tags: readonly Tag[]): void {
    for (const tag of tags) {
      tag.holders -= 1;
      if (tag.holders === 0) this.#tags.delete(tag.name);
    }
  }

  #hold(name: string): Tag {
    let tag = this.#tags.get(name);
    if (tag === undefined) {
      tag = new Tag(name, this.#floorOf(shardIdIn(name)));
      this.#tags.set(name, tag);
    }
    tag.holders += 1;
    return tag;
  }

  #floorOf(shardId: string): ShardPosition | undefined {
    const floor = this.#floors.get(shardId);
    if (floor !== undefined && this.#isEverywhere(floor)) {
      this.#floors.delete(shardId);
      return undefined;
    }
    return floor;
  }

  #forgetOld(): void {
    for (let tag = this.#oldestRecent(); tag !== undefined; tag = this.#oldestRecent()) {
      const { position } = tag;
      const isShown = position === undefined || this.#isEverywhere(position);
      const isLatest = this.#recent.get(tag) === tag.changedAt;
      if (!isShown && isLatest && this.#recent.size <= RECENT_MAX) return;
      this.#oldest = undefined;
      this.#recent.delete(tag);
      if (!isShown && !isLatest) {
        this.#recent.set(tag, tag.changedAt);
        continue;
      }
      if (position !== undefined && !isShown) {
        this.#floors.set(position.shardId, laterPosition(this.#floors.get(position.shardId), position));
      }
      this.release([tag]);
    }
  }

  #oldestRecent(): Tag | undefined {
    if (this.#oldest !== undefined) return this.#oldest;
    const { value, done } = this.#line.next();
    // It passes only those that leave, so at its end there are none; and it does not go on from there.
    if (done === true) this.#line = this.#recent.keys();
    else this.#oldest = value;
    return this.#oldest;
  }
}

// Ids of shards and tenants hold no spaces, and what may hold some comes last or says how long it is.

function shardTag({ shardId }: Pick<RowsPlace, 'shardId'>): string {
  return `${shardId} shard`;
}

function tenantTag({ shardId, tenantId }: RowsPlace): string {
  return `${shardId} tenant ${tenantId}`;
}

/** `any`: some row changed; `all`: any row may have. */
function tableTag(which: 'any' | 'all', { shardId, tenantId }: RowsPlace, table: string): string {
  return `${shardId} ${which} ${tenantId} ${table}`;
}

function rowTag({ shardId, tenantId }: RowsPlace, table: string, id: string): string {
  return `${shardId} row ${tenantId} ${table.length} ${table} ${id}`;
}

function shardIdIn(name: string): string {
  return name.slice(0, name.indexOf(' '));
}
