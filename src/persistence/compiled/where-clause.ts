import { InstanceChecker } from 'typeorm/util/InstanceChecker.js';
import type { BoundValues } from './bound-values.js';
import { equalCondition, operatorCondition } from './operator-condition.js';
import type { PropertyTree } from './property-tree.js';

/**
 * The condition that the `where` of find options means.
 *
 * @returns SQL; nothing for no condition; undefined for what TypeORM should answer or refuse
 */
export function whereCondition(
  where: unknown,
  properties: PropertyTree,
  values: BoundValues,
): string | undefined {
  if (where === undefined) return '';
  if (!Array.isArray(where)) return alternativeCondition(where, properties, values);
  const alternatives: string[] = [];
  for (const item of where as readonly unknown[]) {
    const condition = alternativeCondition(item, properties, values);
    if (condition === undefined) return undefined;
    // As in TypeORM, an alternative that says nothing does not count; it does not mean every row.
    if (condition !== '') alternatives.push(condition);
  }
  const [only] = alternatives;
  if (alternatives.length <= 1) return only ?? '';
  return alternatives.map((condition) => `(${condition})`).join(' or ');
}

function alternativeCondition(
  where: unknown,
  properties: PropertyTree,
  values: BoundValues,
): string | undefined {
  if (where === null || typeof where !== 'object' || Array.isArray(where)) return undefined;
  let all = '';
  const given = where as Readonly<Record<string, unknown>>;
  for (const key in given) {
    const value = given[key];
    const property = properties.get(key);
    // What null and undefined mean is a setting of TypeORM's, which by default refuses them.
    if (property === undefined || value === undefined || value === null) return undefined;
    let condition: string | undefined;
    if (property.kind === 'embedded') {
      condition = alternativeCondition(value, property.properties, values);
    } else if (InstanceChecker.isFindOperator(value)) {
      condition = operatorCondition(property, value, values);
    } else {
      condition = equalCondition(property, value, values);
    }
    if (condition === undefined) return undefined;
    if (condition !== '') all += all === '' ? condition : ` and ${condition}`;
  }
  return all;
}
