import type { FindOperator } from 'typeorm';
import type { ColumnMetadata } from 'typeorm/metadata/ColumnMetadata.js';
import { ApplyValueTransformers } from 'typeorm/util/ApplyValueTransformers.js';
import { InstanceChecker } from 'typeorm/util/InstanceChecker.js';
import type { BoundValues } from './bound-values.js';
import { canListValues } from './column-kind.js';
import type { ColumnProperty } from './property-tree.js';

/** How the operators with one parameter are written. */
const COMPARISONS: Readonly<Record<string, string>> = {
  equal: '=',
  not: '!=',
  lessThan: '<',
  lessThanOrEqual: '<=',
  moreThan: '>',
  moreThanOrEqual: '>=',
  like: 'like',
  ilike: 'ilike',
};

/** `column = value`. @returns SQL; undefined for what TypeORM should answer or refuse */
export function equalCondition(
  property: ColumnProperty,
  value: unknown,
  values: BoundValues,
): string | undefined {
  return comparison(property, '=', value, values);
}

/**
 * The condition that one of TypeORM's find operators means for a column. The operator stays as it is, while
 * TypeORM writes the transformed values into it.
 *
 * @returns SQL that binds at least as tightly as AND; undefined for what TypeORM should answer or refuse
 */
export function operatorCondition(
  property: ColumnProperty,
  operator: FindOperator<unknown>,
  values: BoundValues,
): string | undefined {
  // Operators of others' making carry their own SQL.
  if (operator.getSql !== undefined) return undefined;
  const { type, child } = operator;
  const { transformer } = property.column;
  if (child !== undefined) {
    if (type !== 'not') return undefined;
    const condition = operatorCondition(property, child, values);
    return condition === undefined ? undefined : `not(${condition})`;
  }
  switch (type) {
    case 'isNull':
      // TypeORM lets the transformer see that there is no value; one that throws then must do so here too.
      if (transformer !== undefined) ApplyValueTransformers.transformTo(transformer, undefined);
      return `${property.sql} is null`;
    case 'and':
    case 'or':
      return joined(property, type, operator.value, values);
    case 'in':
      return listed(property, operator.value, values);
    case 'between':
      return between(property, operator.value, values);
    default: {
      const symbol = COMPARISONS[type];
      return symbol === undefined ? undefined : comparison(property, symbol, operator.value, values);
    }
  }
}

function comparison(
  property: ColumnProperty,
  symbol: string,
  value: unknown,
  values: BoundValues,
): string | undefined {
  const bound = boundValue(property, value);
  return bound === undefined ? undefined : `${property.sql} ${symbol} ${values.add(bound.value)}`;
}

function joined(
  property: ColumnProperty,
  conjunction: 'and' | 'or',
  operands: unknown,
  values: BoundValues,
): string | undefined {
  if (!Array.isArray(operands) || operands.length === 0) return undefined;
  const conditions: string[] = [];
  for (const operand of operands as readonly unknown[]) {
    if (!InstanceChecker.isFindOperator(operand)) return undefined;
    const condition = operatorCondition(property, operand, values);
    if (condition === undefined) return undefined;
    conditions.push(condition);
  }
  return `(${conditions.join(` ${conjunction} `)})`;
}

function between(property: ColumnProperty, range: unknown, values: BoundValues): string | undefined {
  if (!Array.isArray(range) || range.length !== 2) return undefined;
  const [from, to] = [boundValue(property, range[0]), boundValue(property, range[1])];
  if (from === undefined || to === undefined) return undefined;
  // In parentheses: its own AND must not meet the others.
  return `(${property.sql} between ${values.add(from.value)} and ${values.add(to.value)})`;
}

/**
 * One parameter for the whole list, so that the text does not depend on its length. The server takes it for an
 * array of what it compares the column with, which is what it takes every single value of IN (…) for.
 */
function listed(property: ColumnProperty, items: unknown, values: BoundValues): string | undefined {
  if (!Array.isArray(items) || !canListValues(property.column)) return undefined;
  const list: unknown[] = [];
  for (const item of items as readonly unknown[]) {
    const bound = boundValue(property, item);
    if (bound === undefined || !isListable(bound.value, property.column)) return undefined;
    list.push(bound.value);
  }
  return `${property.sql} = any(${values.add(list)})`;
}

/** Whether the driver writes a value into an array as it writes it alone; bytes alone it sends in binary. */
function isListable(value: unknown, { type }: ColumnMetadata): boolean {
  if (value === null || typeof value !== 'object') return true;
  return value instanceof Date || (type === 'bytea' && Buffer.isBuffer(value));
}

/** The value as the driver gets it; undefined for those that TypeORM treats in ways of its own. */
function boundValue({ column }: ColumnProperty, given: unknown): { readonly value: unknown } | undefined {
  if (given === null || given === undefined) return undefined;
  let value: unknown = given;
  if (column.transformer !== undefined) {
    if (InstanceChecker.isFindOperator(given)) return undefined;
    value = ApplyValueTransformers.transformTo(column.transformer, given) as unknown;
  }
  return typeof value === 'function' || InstanceChecker.isFindOperator(value) ? undefined : { value };
}
