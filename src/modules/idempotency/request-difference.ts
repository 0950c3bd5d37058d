/** What a request asks for, in one spelling: amounts normalised, what was left out as null. */
export type RequestFields = Readonly<Record<string, string | null>>;

/** A request as it is remembered under its key. */
export interface KeyedRequest {
  /** What is to be done, such as `deposit`. */
  readonly operation: string;
  readonly fields: RequestFields;
}

/** The name of the first field in which two requests of one key differ; undefined when they are the same. */
export function differingField(stored: KeyedRequest, given: KeyedRequest): string | undefined {
  if (stored.operation !== given.operation) return 'operation';
  const names = [...new Set([...Object.keys(given.fields), ...Object.keys(stored.fields)])];
  return names.find((name) => stored.fields[name] !== given.fields[name]);
}
