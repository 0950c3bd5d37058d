import type { WriteNotice, ShardBusOptions } from '../../src/cache/bus/shard-bus.js';
import { ShardBus } from '../../src/cache/bus/shard-bus.js';

/** What becomes of what a process sends. `unseen` arrives, but its sender is told that it did not. */
export type Fate = 'arrives' | 'fails' | 'fails once' | 'unseen' | 'vanishes' | 'hangs';

/** The channel of one shard, on which faults can be placed exactly. Time is that of Jest's fake timers. */
export class Channel {
  readonly processes: Process[] = [];
  readonly payloads: string[] = [];
  /** Milliseconds by which all clocks jumped while nothing ran. */
  jumpedMs = 0;

  join(options: Partial<ShardBusOptions> = {}): Process {
    const process = new Process(this, options);
    this.processes.push(process);
    process.bus.listening();
    return process;
  }

  deliver(payloads: readonly string[]): void {
    this.payloads.push(...payloads);
    for (const payload of payloads)
      this.processes.forEach((process) => {
        process.receive(payload);
      });
  }
}

/** A process with its bus, what it heard, and what becomes of what it sends. */
export class Process {
  readonly bus: ShardBus;
  /** What was heard, in order. */
  readonly heard: (WriteNotice | 'gap')[] = [];
  fate: Fate = 'arrives';
  isConnected = true;
  isReading = true;
  readonly #channel: Channel;
  readonly #unread: string[] = [];
  #hanging: ((error: Error) => void)[] = [];

  constructor(channel: Channel, options: Partial<ShardBusOptions>) {
    this.#channel = channel;
    const hooks = {
      onNotice: (notice: WriteNotice) => void this.heard.push(notice),
      onGap: () => void this.heard.push('gap'),
    };
    const now = (): number => performance.now() + channel.jumpedMs;
    this.bus = new ShardBus({ send: (payloads) => this.#send(payloads) }, hooks, { now, ...options });
  }

  /** What was heard since the last call. */
  takeHeard(): (WriteNotice | 'gap')[] {
    return this.heard.splice(0);
  }

  receive(payload: string): void {
    if (!this.isConnected) return;
    if (this.isReading) this.bus.received(payload);
    else this.#unread.push(payload);
  }

  /** Goes on reading, first what came meanwhile. */
  read(): void {
    this.isReading = true;
    for (const payload of this.#unread.splice(0)) this.bus.received(payload);
  }

  /** Its connection breaks: nothing is sent or heard until {@link connect}. */
  disconnect(): void {
    this.isConnected = false;
    this.#unread.splice(0);
    for (const reject of this.#hanging.splice(0)) reject(new Error('connection lost'));
    this.bus.lost();
  }

  connect(): void {
    this.isConnected = true;
    this.bus.listening();
  }

  /** It is gone without a word: nothing of it is sent any more, nor does it hear anything. */
  kill(): void {
    this.fate = 'hangs';
    this.isConnected = false;
  }

  async #send(payloads: readonly string[]): Promise<void> {
    const { fate } = this;
    if (fate === 'fails once') this.fate = 'arrives';
    await Promise.resolve();
    if (!this.isConnected && fate !== 'hangs') throw new Error('not connected');
    if (fate === 'arrives' || fate === 'unseen') this.#channel.deliver(payloads);
    if (fate === 'fails' || fate === 'fails once' || fate === 'unseen')
      throw new Error('not known to have arrived');
    if (fate === 'hangs') {
      await new Promise<void>((_, reject) => {
        this.#hanging.push(reject);
      });
    }
  }
}

/** Whether what was heard tells of all that was written. */
export function covers(heard: readonly (WriteNotice | 'gap')[], written: WriteNotice): boolean {
  if (heard.includes('gap')) return true;
  const rows = heard.flatMap((notice) =>
    notice !== 'gap' && notice.tenantId === written.tenantId && isNotBefore(notice, written)
      ? [notice.rows]
      : [],
  );
  if (rows.includes('anything')) return true;
  if (written.rows === 'anything') return false;
  const tables = rows.flatMap((some) => (some === 'anything' ? [] : some));
  return written.rows.every(({ table, ids }) => {
    const told = tables.filter((some) => some.table === table);
    if (told.some((some) => some.ids === undefined)) return true;
    const known = new Set(told.flatMap((some) => some.ids ?? []));
    return told.length > 0 && ids?.every((id) => known.has(id)) === true;
  });
}

/** A notice without a position stands for any that is known by then. */
function isNotBefore({ position }: WriteNotice, { position: written }: WriteNotice): boolean {
  if (position === undefined || written === undefined) return true;
  return (
    position.timeline > written.timeline ||
    (position.timeline === written.timeline && position.lsn >= written.lsn)
  );
}
