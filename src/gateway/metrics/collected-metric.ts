import { Counter, Gauge, type OpenMetricsContentType, type Registry } from 'prom-client';

/** Where metrics are registered, of either text format. */
export type MetricsRegistry = Registry | Registry<OpenMetricsContentType>;

/** One value of a metric, and the labels that tell it from the metric's others. */
export interface Sample<Label extends string> {
  readonly labels: Partial<Record<Label, string>>;
  readonly value: number;
}

/** A metric whose values are known elsewhere, and asked for when somebody looks. */
export interface CollectedMetric<Label extends string> {
  readonly name: string;
  readonly help: string;
  readonly labels: readonly Label[];
  /** A sample that is not there any more is not shown any more. */
  readonly samples: () => Iterable<Sample<Label>>;
}

/** Registers counts that begin with the process and only grow. */
export function registerCounter<Label extends string>(
  registry: MetricsRegistry,
  { name, help, labels, samples }: CollectedMetric<Label>,
): void {
  new Counter({
    name,
    help,
    labelNames: labels,
    registers: [registry],
    collect(this: Counter<Label>) {
      this.reset();
      for (const sample of samples()) this.inc(sample.labels, sample.value);
    },
  });
}

/** Registers values that go up and down. */
export function registerGauge<Label extends string>(
  registry: MetricsRegistry,
  { name, help, labels, samples }: CollectedMetric<Label>,
): void {
  new Gauge({
    name,
    help,
    labelNames: labels,
    registers: [registry],
    collect(this: Gauge<Label>) {
      this.reset();
      for (const sample of samples()) this.set(sample.labels, sample.value);
    },
  });
}
