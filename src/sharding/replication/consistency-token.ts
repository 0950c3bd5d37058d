import { randomBytes } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { ValidationError } from '../../common/gateway-error.js';
import { SHARD_ID_PATTERN } from '../../common/identifiers.js';
import { WrittenPositions, type WrittenPosition } from '../../common/written-position.js';

/*
 * A token is `v2.` and base64url of: the process that wrote (6 bytes; zeros: none in particular); per position the
 * length of the shard's id (1 byte), the id, the timeline (4 bytes) and the LSN (8 bytes), all big-endian; then
 * CRC-32 of `v2.` and what precedes (4 bytes). The checksum tells mangled tokens apart; it is no signature. A
 * forged token can only change what its own reader is shown: something fresher, or what a reader without a token
 * is shown.
 */
const PREFIX = 'v2.';
const WRITER_BYTES = 6;
const CHECKSUM_BYTES = 4;
const FIXED_BYTES = 13;
const TOKEN_SEPARATOR = ',';

/** What stands in the place of a writer where there is none in particular. */
const NO_WRITER = Buffer.alloc(WRITER_BYTES).toString('base64url');

/** The longest header of joined tokens that is read, in characters: room for some 400 shards. */
const MAX_TOKEN_HEADER_CHARS = 8 * 1024;

/** A name for a gateway process, for as long as it runs: short, since every token carries it. */
export function newWriterName(): string {
  return randomBytes(WRITER_BYTES).toString('base64url');
}

/**
 * Makes the token of writes: a read that brings it along sees at least these positions. Several positions of one
 * shard and writer become the farthest of them; of several writers it is several tokens, joined.
 *
 * @param positions their writers named by {@link newWriterName}
 */
export function encodeToken(positions: Iterable<WrittenPosition>): string {
  const byWriter = new Map<string | undefined, WrittenPosition[]>();
  for (const position of new WrittenPositions(positions)) {
    const ofWriter = byWriter.get(position.writer);
    if (ofWriter === undefined) byWriter.set(position.writer, [position]);
    else ofWriter.push(position);
  }
  if (byWriter.size === 0) return encodeOne(undefined, []);
  return Array.from(byWriter, ([writer, ofWriter]) => encodeOne(writer, ofWriter)).join(TOKEN_SEPARATOR);
}

/**
 * Reads one token, or several joined with commas, into one position per shard and writer: the farthest. The
 * shards may be unknown to this gateway.
 *
 * @param header the value of `X-Consistency-Token`
 * @throws ValidationError of path `X-Consistency-Token` when any of it is not a token
 */
export function decodeTokens(header: string): WrittenPosition[] {
  if (header.length > MAX_TOKEN_HEADER_CHARS) {
    throw refused(
      `must have at most ${MAX_TOKEN_HEADER_CHARS} characters; keep the tokens of the last writes`,
    );
  }
  const positions = header.split(TOKEN_SEPARATOR).flatMap((token) => decodeOne(token.trim()));
  return [...new WrittenPositions(positions)];
}

function encodeOne(writer: string | undefined, positions: readonly WrittenPosition[]): string {
  const parts = positions.map(({ shardId, timeline, lsn }) => {
    const part = Buffer.alloc(FIXED_BYTES + shardId.length);
    part.writeUInt8(shardId.length, 0);
    part.write(shardId, 1, 'latin1');
    part.writeUInt32BE(timeline, 1 + shardId.length);
    part.writeBigUInt64BE(lsn, 5 + shardId.length);
    return part;
  });
  const payload = Buffer.concat([Buffer.from(writer ?? NO_WRITER, 'base64url'), ...parts]);
  return PREFIX + Buffer.concat([payload, checksumOf(payload)]).toString('base64url');
}

function decodeOne(token: string): WrittenPosition[] {
  const encoded = token.slice(PREFIX.length);
  const bytes = Buffer.from(encoded, 'base64url');
  // Node skips what is not base64url and ignores spare bits; a token has exactly one spelling.
  const isCanonical = token.startsWith(PREFIX) && bytes.toString('base64url') === encoded;
  if (!isCanonical || bytes.length < WRITER_BYTES + CHECKSUM_BYTES) throw mangled();
  const payload = bytes.subarray(0, -CHECKSUM_BYTES);
  if (!checksumOf(payload).equals(bytes.subarray(-CHECKSUM_BYTES))) throw mangled();
  return [...positionsIn(payload)];
}

function* positionsIn(payload: Buffer): Generator<WrittenPosition> {
  const name = payload.toString('base64url', 0, WRITER_BYTES);
  const writer = name === NO_WRITER ? undefined : name;
  for (let offset = WRITER_BYTES; offset < payload.length;) {
    const idLength = payload.readUInt8(offset);
    const end = offset + FIXED_BYTES + idLength;
    if (end > payload.length) throw mangled();
    const shardId = payload.toString('latin1', offset + 1, offset + 1 + idLength);
    if (!SHARD_ID_PATTERN.test(shardId)) throw mangled();
    yield {
      shardId,
      timeline: payload.readUInt32BE(end - 12),
      lsn: payload.readBigUInt64BE(end - 8),
      writer,
    };
    offset = end;
  }
}

function checksumOf(payload: Buffer): Buffer {
  const checksum = Buffer.alloc(CHECKSUM_BYTES);
  checksum.writeUInt32BE(crc32(payload, crc32(PREFIX)));
  return checksum;
}

function mangled(): ValidationError {
  return refused('is not a token that this gateway gave out; send it unchanged, or leave it out');
}

function refused(message: string): ValidationError {
  return new ValidationError([{ path: 'X-Consistency-Token', message }]);
}
