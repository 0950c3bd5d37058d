import { describe, expect, it } from '@jest/globals';
import { EntryStore, type EntryAddress, type Sized, type StoreLimits } from '../../src/cache/entry-store.js';

interface Item extends Sized {
  readonly name: string;
}

/** A store, and what it said of what is gone. */
class Shelf {
  readonly store: EntryStore<Item>;
  readonly gone: { name: string; isPushedOut: boolean }[] = [];

  constructor(limits: Partial<StoreLimits> = {}) {
    this.store = new EntryStore<Item>(
      { maxBytes: 100_000, shareOf: () => 1, ...limits },
      (item, isPushedOut) => this.gone.push({ name: item.name, isPushedOut }),
    );
  }

  put(tenantId: string, name: string, bytes = 1_000): boolean {
    return this.store.set({ ...addressOf(tenantId, name), name, bytes, movedAt: 0 });
  }

  get(tenantId: string, name: string): Item | undefined {
    return this.store.get(addressOf(tenantId, name));
  }
}

/** Where an entry of this name is kept. */
function addressOf(tenantId: string, name: string): EntryAddress {
  return { tenantId, statement: `statement ${name.length % 3}`, key: name };
}

/** Ranks from 0 on, the first ones by far most often; the same for the same seed. */
function zipf(ranks: number, seed: number): () => number {
  const weights = Array.from({ length: ranks }, (_, rank) => 1 / (rank + 1));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    let left = (state / 2 ** 32) * total;
    return weights.findIndex((weight) => (left -= weight) < 0);
  };
}

describe('the store of entries', () => {
  it('gives back what was put, to its tenant', () => {
    const shelf = new Shelf();
    const { put } = bound(shelf);
    expect(put('acme', 'one')).toBe(true);
    expect(shelf.get('acme', 'one')).toMatchObject({ name: 'one' });
    expect(shelf.get('beta', 'one')).toBeUndefined();
    expect(shelf.get('acme', 'two')).toBeUndefined();
  });

  it('keeps entries of other statements apart, whatever their keys', () => {
    const shelf = new Shelf();
    const [one, other] = [addressOf('acme', 'one'), { ...addressOf('acme', 'one'), statement: 'other' }];
    const found = () => [one, other].map((address) => shelf.store.get(address)?.name);
    shelf.put('acme', 'one');
    expect(found()).toEqual(['one', undefined]);
    shelf.store.set({ ...other, name: 'the other', bytes: 10, movedAt: 0 });
    expect(found()).toEqual(['one', 'the other']);
    shelf.store.delete(one);
    expect(found()).toEqual([undefined, 'the other']);
  });

  it('counts its bytes and entries, of all and of each tenant, whatever goes and comes', () => {
    const { store, put } = bound(new Shelf());
    put('acme', 'one', 300);
    put('acme', 'two', 400);
    put('beta', 'three', 500);
    put('acme', 'one', 100);
    expect(store.use).toEqual({ entries: 3, bytes: 1_000 });
    expect(store.useOf('acme')).toEqual({ entries: 2, bytes: 500 });
    store.delete(addressOf('acme', 'two'));
    store.delete(addressOf('acme', 'two'));
    store.delete(addressOf('nobody', 'two'));
    expect(store.use).toEqual({ entries: 2, bytes: 600 });
    expect(store.clear('acme')).toBe(1);
    expect(store.clear('nobody')).toBe(0);
    expect(store.use).toEqual({ entries: 1, bytes: 500 });
    expect(store.useOf('acme')).toEqual({ entries: 0, bytes: 0 });
    expect(store.clear()).toBe(1);
    expect(store.use).toEqual({ entries: 0, bytes: 0 });
  });

  it('never holds more than it may, of all tenants together', () => {
    const { store, put } = bound(new Shelf({ maxBytes: 1_000_000 }));
    let most = 0;
    for (let count = 0; count < 4_000; count += 1) {
      put(`tenant-${count % 30}`, `${count}`, 100 + (count % 900));
      most = Math.max(most, store.use.bytes);
    }
    // Thirty tenants' parts take room too.
    expect(most).toBeLessThanOrEqual(1_000_000 - 30 * 2_000);
    expect(store.use.bytes).toBeGreaterThan(900_000);
  });

  it('never holds more of a tenant than its share', () => {
    const { store, put } = bound(new Shelf({ shareOf: (tenant) => (tenant === 'acme' ? 0.2 : 0.5) }));
    for (let count = 0; count < 200; count += 1) {
      put('acme', `a${count}`, 900);
      put('beta', `b${count}`, 900);
      expect(store.useOf('acme').bytes).toBeLessThanOrEqual(20_000);
      expect(store.useOf('beta').bytes).toBeLessThanOrEqual(50_000);
    }
    expect(store.useOf('acme').entries).toBe(22);
    expect(store.useOf('beta').entries).toBe(55);
  });

  it('pushes out what was not used for longest', () => {
    const shelf = new Shelf({ shareOf: () => 0.03 });
    for (const name of ['one', 'two', 'three']) shelf.put('acme', name);
    shelf.get('acme', 'one');
    shelf.put('acme', 'four');
    expect(shelf.gone).toEqual([{ name: 'two', isPushedOut: true }]);
  });

  it('does not keep what takes more than a hundredth of it, and then nothing older under its key', () => {
    const shelf = new Shelf();
    expect(shelf.put('acme', 'one', 1_000)).toBe(true);
    expect(shelf.put('acme', 'one', 1_001)).toBe(false);
    expect(shelf.get('acme', 'one')).toBeUndefined();
    expect(shelf.gone).toEqual([{ name: 'one', isPushedOut: false }]);
    expect(shelf.put('acme', 'of no size', Number.NaN)).toBe(false);
    expect(shelf.store.use).toEqual({ entries: 0, bytes: 0 });
  });

  it('does not keep what takes more than its tenant’s share', () => {
    const shelf = new Shelf({ shareOf: () => 0.005 });
    expect(shelf.put('acme', 'one', 501)).toBe(false);
    expect(shelf.put('acme', 'one', 500)).toBe(true);
  });

  it('says of each entry once that it is gone, and why', () => {
    const shelf = new Shelf();
    const names = Array.from({ length: 400 }, (_, index) => `${index % 250}`);
    names.forEach((name, index) => shelf.put(`tenant-${Number(name) % 3}`, name, 600 + (index % 5)));
    const left = shelf.store.use.entries;
    expect(shelf.gone).toHaveLength(400 - left);
    expect(shelf.gone.some(({ isPushedOut }) => isPushedOut)).toBe(true);
    shelf.gone.length = 0;
    shelf.store.clear();
    expect(shelf.gone).toHaveLength(left);
    expect(shelf.gone.some(({ isPushedOut }) => isPushedOut)).toBe(false);
  });

  it('lets the one that takes most give way', () => {
    const { store, put } = bound(new Shelf({ maxBytes: 107_000 }));
    for (let count = 0; count < 90; count += 1) put('large', `large ${count}`);
    for (let count = 0; count < 10; count += 1) put('small', `small ${count}`);
    for (let count = 0; count < 10; count += 1) put('new', `new ${count}`);
    expect(['large', 'small', 'new'].map((tenant) => store.useOf(tenant).entries)).toEqual([80, 10, 10]);
  });

  it('lets one that takes much take nothing of the many that take little', () => {
    const { store, put } = bound(new Shelf({ maxBytes: 300_000 }));
    for (let count = 0; count < 50; count += 1) put(`small-${count}`, `small ${count}`);
    for (let count = 0; count < 500; count += 1) put('large', `large ${count}`);
    const left = Array.from({ length: 50 }, (_, count) => store.useOf(`small-${count}`).entries);
    expect(left).toEqual(left.map(() => 1));
    expect(store.useOf('large').entries).toBeGreaterThan(100);
    expect(put('new', 'new')).toBe(true);
    expect(store.useOf('new').entries).toBe(1);
  });

  it('finds one that takes much, wherever it stands among the others', () => {
    const { store, put } = bound(new Shelf({ maxBytes: 150_000 }));
    for (let count = 0; count < 20; count += 1) put(`small-${count}`, `small ${count}`);
    for (let count = 0; count < 80; count += 1) put('large', `large ${count}`);
    const before = store.useOf('large').entries;
    for (let count = 0; count < 20; count += 1) put('new', `new ${count}`);
    expect(store.useOf('large').entries).toBeLessThan(before);
  });

  it('lets one that floods it lower the hit rate of others by a tenth at most', () => {
    const tenants = Array.from({ length: 12 }, (_, index) => `tenant-${index}`);
    const hitRate = (floodPerRead: number): { rate: number; flood: number } => {
      const shelf = new Shelf({ maxBytes: 2_000_000, shareOf: () => 0.1 });
      const { store, put } = bound(shelf);
      const next = tenants.map((_, index) => zipf(400, index + 1));
      let [hits, reads, flooded, most] = [0, 0, 0, 0];
      for (let round = 0; round < 1_000; round += 1) {
        tenants.forEach((tenant, index) => {
          const key = `${tenant} ${next[index]?.()}`;
          reads += 1;
          if (shelf.get(tenant, key) !== undefined) hits += 1;
          else put(tenant, key);
        });
        for (let count = 0; count < floodPerRead * tenants.length; count += 1)
          put('flood', `${(flooded += 1)}`);
        most = Math.max(most, store.useOf('flood').bytes);
      }
      return { rate: hits / reads, flood: most };
    };
    const [alone, beside] = [hitRate(0), hitRate(4)];
    expect(alone.rate).toBeGreaterThan(0.5);
    expect(beside.rate).toBeGreaterThan(alone.rate * 0.9);
    expect(beside.flood).toBeLessThanOrEqual(200_000);
  });
});

function bound(shelf: Shelf): { store: EntryStore<Item>; put: Shelf['put'] } {
  return { store: shelf.store, put: shelf.put.bind(shelf) };
}
