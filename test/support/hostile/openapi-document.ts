/** As much of a JSON schema as this service's OpenAPI document uses. */
export interface Schema {
  readonly type?: 'string' | 'integer' | 'number' | 'boolean' | 'array' | 'object';
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly oneOf?: readonly Schema[];
  readonly enum?: readonly string[];
  readonly pattern?: string;
  readonly format?: string;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly maxItems?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly nullable?: boolean;
  readonly example?: unknown;
}

/** A parameter in the path, the query or the headers. */
export interface Parameter {
  readonly name: string;
  readonly in: 'path' | 'query' | 'header';
  readonly required?: boolean;
  readonly schema: Schema;
}

/** Whose key an operation needs. */
type Access = 'tenant' | 'operator' | 'public';

/** One method of one path. */
export interface Operation {
  /** Such as `post /v1/accounts/{id}/deposits`. */
  readonly name: string;
  /** In upper case. */
  readonly method: string;
  /** With its parameters in braces. */
  readonly path: string;
  readonly parameters: readonly Parameter[];
  /** Of the JSON body; undefined for an operation without one. */
  readonly body: Schema | undefined;
  readonly access: Access;
  readonly writes: boolean;
  /** The statuses that it may answer with. */
  readonly statuses: readonly number[];
}

/** The served document, as far as requests are made from it. */
export interface OpenApiDocument {
  readonly paths: Readonly<Record<string, Readonly<Record<string, RawOperation>>>>;
}

interface RawOperation {
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema: Schema }>> };
  readonly security?: readonly Readonly<Record<string, unknown>>[];
  readonly responses: Readonly<Record<string, unknown>>;
}

const READING = new Set(['GET', 'HEAD']);

/** Every operation of the document. */
export function operationsOf({ paths }: OpenApiDocument): Operation[] {
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, raw]) => ({
      name: `${method} ${path}`,
      method: method.toUpperCase(),
      path,
      parameters: raw.parameters ?? [],
      body: raw.requestBody?.content['application/json']?.schema,
      access: accessOf(raw),
      writes: !READING.has(method.toUpperCase()),
      statuses: Object.keys(raw.responses).map(Number),
    })),
  );
}

function accessOf({ security = [] }: RawOperation): Access {
  const schemes = security.flatMap((scheme) => Object.keys(scheme));
  if (schemes.includes('operatorKey')) return 'operator';
  return schemes.includes('tenantKey') ? 'tenant' : 'public';
}
