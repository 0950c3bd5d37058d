import type { ReplicatedChange } from '../../common/replicated-change.js';
import { NoticeBuffer } from '../bus/notice-buffer.js';
import type { GatheredWrites } from '../bus/write-notice.js';

/**
 * What a transaction wrote, gathered from its changes as they come. It stays small however many there are, by
 * telling less exactly.
 */
export class CommitWrites {
  readonly #buffer = new NoticeBuffer();

  /** A row that names no tenant may be anybody's. */
  add(change: ReplicatedChange): void {
    if (change === 'everything') {
      this.#buffer.restore('everything');
      return;
    }
    const { table, rows } = change;
    for (const { tenantId, id } of rows) {
      if (tenantId === undefined) this.#buffer.restore('everything');
      else this.#buffer.add({ tenantId, rows: [{ table, ids: id === undefined ? undefined : [id] }] });
    }
  }

  /** All of it, once. */
  take(): GatheredWrites {
    return this.#buffer.take();
  }
}
