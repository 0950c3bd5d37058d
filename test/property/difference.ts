/**
 * Says where two values differ: in a primitive, in their class, in the keys they own (in any order, absent is
 * not undefined), or within. Undefined where they do not.
 */
export function difference(left: unknown, right: unknown, path = 'answer'): string | undefined {
  if (Object.is(left, right)) return undefined;
  if (typeof left !== 'object' || typeof right !== 'object' || left === null || right === null) {
    return `${path}: ${String(left)} is not ${String(right)}`;
  }
  if (Object.getPrototypeOf(left) !== Object.getPrototypeOf(right)) return `${path}: classes differ`;
  if (left instanceof Date && right instanceof Date) {
    return Object.is(left.getTime(), right.getTime()) ? undefined : `${path}: dates differ`;
  }
  const [keys, others] = [Reflect.ownKeys(left), Reflect.ownKeys(right)];
  if (keys.length !== others.length || keys.some((key) => !Object.hasOwn(right, key))) {
    return `${path}: keys ${keys.map(String).join()} are not ${others.map(String).join()}`;
  }
  for (const key of keys) {
    const found = difference(Reflect.get(left, key), Reflect.get(right, key), `${path}.${String(key)}`);
    if (found !== undefined) return found;
  }
  return undefined;
}
