import { Injectable, type ArgumentMetadata, type PipeTransform } from '@nestjs/common';
import { ValidationError, type FieldFault } from '../../common/gateway-error.js';

/** More would only repeat themselves, and grow with what was sent. */
const FAULTS_MAX = 100;
/** Names of unknown fields are the client's, and as long as it likes. */
const PATH_MAX = 200;

type Schema = NonNullable<ArgumentMetadata['schema']>;
type Issue = NonNullable<Awaited<ReturnType<Schema['~standard']['validate']>>['issues']>[number];

/**
 * Checks what a parameter's decorator names a schema for, as in `@Body({ schema })` and
 * `@Param('id', { schema })`, and passes on what the schema makes of it.
 *
 * @throws ValidationError with every fault
 */
@Injectable()
export class SchemaPipe implements PipeTransform {
  async transform(value: unknown, { schema, data, type }: ArgumentMetadata): Promise<unknown> {
    if (schema === undefined || type === 'custom') return value;
    const result = await schema['~standard'].validate(value);
    if (result.issues === undefined) return result.value;
    const faults = result.issues.slice(0, FAULTS_MAX).flatMap((issue) => faultsOf(issue, data));
    throw new ValidationError(faults.slice(0, FAULTS_MAX));
  }
}

function faultsOf(issue: Issue, parameter: string | undefined): FieldFault[] {
  const segments = (issue.path ?? []).map((segment) => (typeof segment === 'object' ? segment.key : segment));
  const path = [...(parameter === undefined ? [] : [parameter]), ...segments.map(String)];
  const at = (names: string[]): string => names.join('.').slice(0, PATH_MAX);
  // Zod names all unknown fields in one issue of their parent; each is a fault of its own.
  const unknown = 'keys' in issue && Array.isArray(issue.keys) ? issue.keys : undefined;
  if (unknown === undefined) return [{ path: at(path), message: issue.message }];
  return unknown.map((key) => ({ path: at([...path, String(key)]), message: 'is not known here' }));
}
