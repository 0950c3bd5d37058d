/** Bytes of heap that these rows take, about. */
export function sizeOfRows(rows: readonly (readonly (string | null)[])[]): number {
  let bytes = 0;
  for (const row of rows) {
    bytes += 64;
    for (const field of row) bytes += field === null ? 8 : 40 + field.length;
  }
  return bytes;
}
