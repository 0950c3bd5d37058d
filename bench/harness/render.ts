import { renderTable } from '../../src/cli/table.js';
import type { BenchReport, CaseFigures, Ratio } from './report.js';

const FIGURES_HEAD = ['case', 'subject', 'per second', 'slowest to fastest round', 'p50', 'p99'];
const RATIOS_HEAD = ['case', 'subject', 'against', 'ratio', 'goal', ''];
const MICROSECONDS_BELOW_MS = 0.1;
const NANOSECONDS_BELOW_MS = 0.001;

/** How a table of text is drawn: for a terminal, or as Markdown. */
export type TableStyle = (head: readonly string[], rows: readonly (readonly string[])[]) => string;

/** A report for a person: figures, then ratios and goals. */
export function renderReport(report: BenchReport, table: TableStyle = renderTable): string {
  const { name, at, cases, ratios } = report;
  return [
    `${name}, ${at}`,
    listed(report.versions),
    listed(report.settings),
    '',
    table(FIGURES_HEAD, cases.map(figuresRow)),
    '',
    table(RATIOS_HEAD, ratios.map(ratioRow)),
    ...missingLines(cases),
    '',
  ].join('\n');
}

/** A table as Markdown has it. */
export function markdownTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

function figuresRow({ case: caseName, subject, perSecond, p50Ms, p99Ms, spread }: CaseFigures): string[] {
  if (perSecond === null) return [caseName, subject, 'missing', '', '', ''];
  const range = spread === undefined ? '' : `${count(spread.min)} to ${count(spread.max)}`;
  return [caseName, subject, count(perSecond), range, duration(p50Ms), duration(p99Ms)];
}

function ratioRow({ case: caseName, subject, against, ratio, goal, met }: Ratio): string[] {
  const verdict = met === null ? '' : met ? 'met' : 'NOT met';
  return [
    caseName,
    subject,
    against,
    ratio === null ? 'missing' : ratio.toPrecision(3),
    goal === null ? '' : `≥ ${goal}`,
    verdict,
  ];
}

function missingLines(cases: readonly CaseFigures[]): string[] {
  const reasons = cases.flatMap(({ subject, missing }) =>
    missing === undefined ? [] : [`${subject} is missing: ${missing}`],
  );
  return reasons.length === 0 ? [] : ['', ...new Set(reasons)];
}

function listed(values: Readonly<Record<string, string | number | boolean>>): string {
  return Object.entries(values)
    .map(([key, value]) => `${key} ${value}`)
    .join(' · ');
}

function count(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}

function duration(ms: number | null): string {
  if (ms === null) return '';
  if (ms < NANOSECONDS_BELOW_MS) return `${(ms * 1e6).toPrecision(3)} ns`;
  if (ms < MICROSECONDS_BELOW_MS) return `${(ms * 1e3).toPrecision(3)} µs`;
  return `${ms.toFixed(2)} ms`;
}
