/** One line of a metric. */
interface ExposedSample {
  /** With its suffix, as of a histogram. */
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** One metric, with all of its lines. */
export interface ExposedMetric {
  readonly type: string;
  readonly help: string;
  readonly samples: readonly ExposedSample[];
}

const NAME = '[a-zA-Z_:][a-zA-Z0-9_:]*';
const LABEL = '[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\\\\n]|\\\\["\\\\n])*"';
const HELP_LINE = new RegExp(`^# HELP (${NAME}) (\\S.*)$`);
const TYPE_LINE = new RegExp(`^# TYPE (${NAME}) (counter|gauge|histogram)$`);
const SAMPLE_LINE = new RegExp(`^(${NAME})(?:\\{(${LABEL}(?:,${LABEL})*)\\})? (\\S+)$`);
const NUMBER = /^(-?\d+(\.\d+)?(e[+-]?\d+)?|Nan|[+-]Inf)$/;

/**
 * Reads Prometheus' text format as strictly as possible.
 *
 * @returns the metrics by name
 * @throws Error for a line that is not what must come next, a value that no metric of its type has, a line that
 *   is there twice, and a counter whose name does not say that it is one
 */
export function readExposition(text: string): ReadonlyMap<string, ExposedMetric> {
  if (!text.endsWith('\n')) throw new Error('The last line does not end.');
  const metrics = new Map<string, ExposedMetric>();
  for (const block of text.slice(0, -1).split('\n\n')) {
    const [help = '', type = '', ...lines] = block.split('\n');
    const [, name = '', explanation = ''] = must(HELP_LINE, help);
    const [, typedName, kind = ''] = must(TYPE_LINE, type);
    if (name !== typedName) throw new Error(`The help of ${name} is followed by ${type}`);
    if (metrics.has(name)) throw new Error(`${name} is there twice.`);
    if (kind === 'counter' && !name.endsWith('_total')) throw new Error(`${name} counts.`);
    const samples = lines.map(readSample);
    assertUnique(samples);
    for (const sample of samples) assertBelongs(sample, name, kind);
    if (kind === 'histogram') assertHistogram(name, samples);
    metrics.set(name, { type: kind, help: explanation, samples });
  }
  return metrics;
}

function readSample(line: string): ExposedSample {
  const [, name = '', labels = '', value = ''] = must(SAMPLE_LINE, line);
  must(NUMBER, value);
  const pairs = [...labels.matchAll(new RegExp(LABEL, 'g'))].map(([pair]): [string, string] => {
    const equals = pair.indexOf('=');
    return [pair.slice(0, equals), JSON.parse(pair.slice(equals + 1)) as string];
  });
  if (new Set(pairs.map(([label]) => label)).size < pairs.length) throw new Error(`A label twice: ${line}`);
  return { name, labels: Object.fromEntries(pairs), value: Number(value.replace('Inf', 'Infinity')) };
}

function assertBelongs({ name, value }: ExposedSample, metric: string, type: string): void {
  const suffixes = type === 'histogram' ? ['_bucket', '_sum', '_count'] : [''];
  if (!suffixes.some((suffix) => name === metric + suffix)) throw new Error(`${name} is none of ${metric}.`);
  if (type !== 'gauge' && !(value >= 0)) throw new Error(`${name} is ${value}.`);
}

function assertUnique(samples: readonly ExposedSample[]): void {
  const ids = samples.map(({ name, labels }) => name + JSON.stringify(Object.entries(labels).sort()));
  const twice = ids.find((id, index) => ids.indexOf(id) !== index);
  if (twice !== undefined) throw new Error(`There twice: ${twice}`);
}

/** Each series of buckets rises, and ends with its count. */
function assertHistogram(name: string, samples: readonly ExposedSample[]): void {
  const rests = (sample: ExposedSample): string =>
    JSON.stringify(Object.entries({ ...sample.labels, le: '' }).sort());
  for (const count of samples.filter((sample) => sample.name === `${name}_count`)) {
    const buckets = samples.filter(
      (sample) => sample.name === `${name}_bucket` && rests(sample) === rests(count),
    );
    const bounds = buckets.map(({ labels }) => Number(labels.le?.replace('Inf', 'Infinity')));
    const values = buckets.map(({ value }) => value);
    if (!isRising(bounds) || !isRising(values)) throw new Error(`The buckets of ${name} do not rise.`);
    if (bounds.at(-1) !== Infinity || values.at(-1) !== count.value) {
      throw new Error(`The last bucket of ${name} is not its count.`);
    }
  }
}

function isRising(values: readonly number[]): boolean {
  return values.every((value, index) => index === 0 || value >= (values[index - 1] ?? NaN));
}

function must(pattern: RegExp, line: string): RegExpExecArray {
  const match = pattern.exec(line);
  if (match === null) throw new Error(`This is no ${pattern.source}: ${line}`);
  return match;
}
