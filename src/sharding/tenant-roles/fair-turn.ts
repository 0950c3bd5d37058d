/**
 * Who of those that wait for a connection is next: whoever waits longest among the tenants that have the
 * fewest. A tenant that asks for many waits behind its own, never before others.
 *
 * @param waiting the tenants of all who wait, the first the longest
 * @param held how many connections each tenant has at this moment
 * @param perTenantMax how many one tenant may have
 * @returns the place in `waiting`; undefined when nobody there may have one more
 */
export function nextTurn(
  waiting: readonly string[],
  held: ReadonlyMap<string, number>,
  perTenantMax: number,
): number | undefined {
  let next: number | undefined;
  let fewest = perTenantMax;
  for (const [place, tenantId] of waiting.entries()) {
    const count = held.get(tenantId) ?? 0;
    if (count >= fewest) continue;
    next = place;
    fewest = count;
  }
  return next;
}
