import { crc32 } from 'node:zlib';
import { ValidationError } from '../../common/gateway-error.js';
import { SHARD_ID_PATTERN } from '../../common/identifiers.js';
import { laterPosition, type ShardPosition } from '../../common/shard-position.js';

/*
 * A token is `v1.` and base64url of: per position the length of the shard's id (1 byte), the id, the timeline
 * (4 bytes) and the LSN (8 bytes), all big-endian; then CRC-32 of `v1.` and what precedes (4 bytes). The
 * checksum tells mangled tokens apart; it is no signature. A forged token can only send its own reader to the
 * primary.
 */
const PREFIX = 'v1.';
const CHECKSUM_BYTES = 4;
const FIXED_BYTES = 13;
const TOKEN_SEPARATOR = ',';

/** The longest header of joined tokens that is read, in characters: room for some 400 shards. */
const MAX_TOKEN_HEADER_CHARS = 8 * 1024;

/**
 * Makes the token of a write: a read that brings it along sees at least these positions. Several positions
 * of one shard become the farthest of them.
 */
export function encodeToken(positions: Iterable<ShardPosition>): string {
  const parts = [...farthest(positions)].map(({ shardId, timeline, lsn }) => {
    const part = Buffer.alloc(FIXED_BYTES + shardId.length);
    part.writeUInt8(shardId.length, 0);
    part.write(shardId, 1, 'latin1');
    part.writeUInt32BE(timeline, 1 + shardId.length);
    part.writeBigUInt64BE(lsn, 5 + shardId.length);
    return part;
  });
  const payload = Buffer.concat(parts);
  return PREFIX + Buffer.concat([payload, checksumOf(payload)]).toString('base64url');
}

/**
 * Reads one token, or several joined with commas, into one position per shard: the farthest. The shards may
 * be unknown to this gateway.
 *
 * @param header the value of `X-Consistency-Token`
 * @throws ValidationError of path `X-Consistency-Token` when any of it is not a token
 */
export function decodeTokens(header: string): ShardPosition[] {
  if (header.length > MAX_TOKEN_HEADER_CHARS) {
    throw refused(
      `must have at most ${MAX_TOKEN_HEADER_CHARS} characters; keep the tokens of the last writes`,
    );
  }
  const positions = header.split(TOKEN_SEPARATOR).flatMap((token) => decodeToken(token.trim()));
  return farthest(positions);
}

function decodeToken(token: string): ShardPosition[] {
  const encoded = token.slice(PREFIX.length);
  const bytes = Buffer.from(encoded, 'base64url');
  // Node skips what is not base64url and ignores spare bits; a token has exactly one spelling.
  const isCanonical = token.startsWith(PREFIX) && bytes.toString('base64url') === encoded;
  if (!isCanonical || bytes.length < CHECKSUM_BYTES) throw mangled();
  const payload = bytes.subarray(0, -CHECKSUM_BYTES);
  if (!checksumOf(payload).equals(bytes.subarray(-CHECKSUM_BYTES))) throw mangled();
  return [...positionsIn(payload)];
}

function* positionsIn(payload: Buffer): Generator<ShardPosition> {
  for (let offset = 0; offset < payload.length;) {
    const idLength = payload.readUInt8(offset);
    const end = offset + FIXED_BYTES + idLength;
    if (end > payload.length) throw mangled();
    const shardId = payload.toString('latin1', offset + 1, offset + 1 + idLength);
    if (!SHARD_ID_PATTERN.test(shardId)) throw mangled();
    yield {
      shardId,
      timeline: payload.readUInt32BE(end - 12),
      lsn: payload.readBigUInt64BE(end - 8),
    };
    offset = end;
  }
}

function farthest(positions: Iterable<ShardPosition>): ShardPosition[] {
  const byShard = new Map<string, ShardPosition>();
  for (const position of positions) {
    byShard.set(position.shardId, laterPosition(byShard.get(position.shardId), position));
  }
  return [...byShard.values()];
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
