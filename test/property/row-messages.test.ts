import { PassThrough } from 'node:stream';
import { describe, expect, it, jest } from '@jest/globals';
import fc from 'fast-check';
import pg from 'pg';
import { readRowsHere } from '../../src/sharding/connections/row-messages.js';

/** What the driver calls, and its published types leave out. */
interface Listening {
  attachListeners(stream: PassThrough): void;
}

const EVENTS = ['dataRow', 'commandComplete', 'bindComplete', 'readyForQuery', 'errorMessage'] as const;

function message(kind: string, body: Buffer): Buffer {
  const head = Buffer.alloc(5);
  head.write(kind, 0, 'latin1');
  head.writeUInt32BE(body.length + 4, 1);
  return Buffer.concat([head, body]);
}

function rowMessage(fields: readonly (string | null)[]): Buffer {
  const count = Buffer.alloc(2);
  count.writeUInt16BE(fields.length);
  const parts = fields.flatMap((field) => {
    const text = field === null ? Buffer.alloc(0) : Buffer.from(field, 'utf8');
    const length = Buffer.alloc(4);
    length.writeInt32BE(field === null ? -1 : text.length);
    return [length, text];
  });
  return message('D', Buffer.concat([count, ...parts]));
}

const texts = fc.oneof(
  fc.string({ unit: 'grapheme-ascii', maxLength: 40 }),
  fc.string({ unit: 'grapheme', maxLength: 12 }),
  fc.string({ unit: 'binary', maxLength: 12 }),
  // Lengths whose bytes are not ASCII themselves.
  fc.integer({ min: 120, max: 300 }).map((length) => 'é'.repeat(length)),
  fc.constant('x'.repeat(70_000)),
);

const messages = fc.oneof(
  {
    arbitrary: fc.array(fc.option(texts, { nil: null }), { maxLength: 20 }).map(rowMessage),
    weight: 4,
  },
  fc.constant(message('C', Buffer.from('SELECT 1\0'))),
  fc.constant(message('2', Buffer.alloc(0))),
  fc.constant(message('Z', Buffer.from('I'))),
  fc.constant(message('E', Buffer.from('SERROR\0C42601\0Mwrong\0\0'))),
);

/** What a connection tells its client of, in order, when these chunks come in. */
function eventsOf(chunks: readonly Buffer[], prepare: (connection: pg.Connection) => void): unknown[] {
  const stream = new PassThrough();
  const connection = new pg.Connection({ stream } as never);
  prepare(connection);
  const events: unknown[] = [];
  for (const name of EVENTS) {
    connection.on(name, (event: { fields?: unknown; message?: unknown }) => {
      events.push([name, event.fields, event.message]);
    });
  }
  (connection as pg.Connection & Listening).attachListeners(stream);
  for (const chunk of chunks) stream.emit('data', chunk);
  return events;
}

function cut(bytes: Buffer, places: readonly number[]): Buffer[] {
  const bounds = [...new Set([0, ...places.map((place) => place % (bytes.length + 1)), bytes.length])];
  bounds.sort((one, other) => one - other);
  return bounds.slice(1).map((end, index) => Buffer.from(bytes.subarray(bounds[index], end)));
}

describe('readRowsHere', () => {
  it('tells of the same messages as the driver, in order, wherever the stream is cut into chunks', () => {
    fc.assert(
      fc.property(
        fc.array(messages, { maxLength: 12 }),
        fc.array(fc.nat(), { maxLength: 30 }),
        (sent, places) => {
          const chunks = cut(Buffer.concat(sent), places);
          const ours = eventsOf(chunks, readRowsHere);
          expect(ours).toEqual(eventsOf(chunks, () => undefined));
          expect(ours).toHaveLength(sent.length);
        },
      ),
      { numRuns: 500 },
    );
  });

  it('understands a stream that comes byte by byte', () => {
    const sent = [rowMessage(['a', null, 'ü']), message('C', Buffer.from('SELECT 1\0')), rowMessage([])];
    const bytes = Buffer.concat(sent);
    const chunks = Array.from(bytes, (byte) => Buffer.from([byte]));
    expect(eventsOf(chunks, readRowsHere)).toEqual([
      ['dataRow', ['a', null, 'ü'], undefined],
      ['commandComplete', undefined, undefined],
      ['dataRow', [], undefined],
    ]);
  });

  it('joins a row of many chunks once', () => {
    const bytes = rowMessage(['x'.repeat(20_000_000)]);
    const chunks = Array.from({ length: Math.ceil(bytes.length / 4_096) }, (_, index) =>
      bytes.subarray(index * 4_096, (index + 1) * 4_096),
    );
    const concat = jest.spyOn(Buffer, 'concat');
    try {
      expect(eventsOf(chunks, readRowsHere)).toHaveLength(1);
      const joinedBytes = concat.mock.results.map(({ value }) => (value as Buffer).length);
      expect(joinedBytes).toEqual([bytes.length]);
    } finally {
      concat.mockRestore();
    }
  });

  it('reads the rows itself', () => {
    const bytes = rowMessage(['a', 'b', 'c']);
    const decode = jest.spyOn(bytes, 'toString');
    eventsOf([bytes], readRowsHere);
    expect(decode).toHaveBeenCalledTimes(1);
  });
});
