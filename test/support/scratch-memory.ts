import { statfsSync } from 'node:fs';
import { freemem } from 'node:os';

const MEMORY_FILES = '/dev/shm';
/** Several times of what a whole run has in its clusters at any time. */
const ROOM_BYTES = 8 * 1024 ** 3;

/**
 * Lets everything temporary of this process, and of those it starts, lie in memory, on machines that have the
 * room: a good part of a run's time otherwise goes into the files of short-lived clusters.
 */
export function keepScratchInMemory(): void {
  if (process.env.TMPDIR === undefined && hasRoom()) process.env.TMPDIR = MEMORY_FILES;
}

function hasRoom(): boolean {
  try {
    const { bavail, bsize } = statfsSync(MEMORY_FILES);
    // What is kept there is not free any more for anybody else.
    return Math.min(bavail * bsize, freemem() / 2) >= ROOM_BYTES;
  } catch {
    return false;
  }
}
