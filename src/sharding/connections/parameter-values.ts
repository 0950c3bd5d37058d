import utils from 'pg/lib/utils.js';

/** A parameter's value in the text format, or bytes. */
export type ParameterValue = string | Buffer | null;

/**
 * Values of parameters as they are sent.
 *
 * @param params as the driver takes them: strings, numbers, dates, buffers, arrays
 */
export function valuesOf(params: readonly unknown[]): readonly ParameterValue[] {
  return params.map((param) => utils.prepareValue(param));
}
