/**
 * What every bench of this project writes: figures with their spread, the machine and the revision.
 *
 *   {schema, bench, revision, machine, startedAt, arguments, figures: [{name, value, unit, n, p5, p95, label}], skipped: [{name, why}]}
 *
 * `value` is the median of `n` observations. Names use tokens without dots or slashes, joined by dots.
 */
import { writeFileSync } from 'node:fs';
import { availableParallelism, cpus, release, totalmem } from 'node:os';
import { revision } from '../src/lab/machine.js';
import { formatTable, quantile, sorted } from '../src/report/index.js';

export const BENCH_SCHEMA = 'longhaul/bench/1';

export interface Figure {
  readonly name: string;
  /** The median. */
  readonly value: number;
  readonly unit: string;
  /** Observations behind it. */
  readonly n: number;
  readonly p5: number;
  readonly p95: number;
  readonly label: 'measured' | 'simulated';
}

export interface BenchResult {
  readonly schema: typeof BENCH_SCHEMA;
  readonly bench: string;
  readonly revision: string;
  readonly machine: Readonly<Record<string, string | number>>;
  readonly startedAt: string;
  readonly arguments: readonly string[];
  readonly figures: readonly Figure[];
  /** What was not measured here, and why. */
  readonly skipped: readonly { readonly name: string; readonly why: string }[];
}

/** Collects figures while a bench runs, printing each as it comes. */
export class Figures {
  readonly #bench: string;
  readonly #startedAt = new Date().toISOString();
  readonly #figures: Figure[] = [];
  readonly #skipped: { name: string; why: string }[] = [];

  constructor(bench: string) {
    this.#bench = bench;
  }

  /** Adds the median of some observations. */
  add(
    name: string,
    unit: string,
    observations: readonly number[],
    label: Figure['label'] = 'measured',
  ): Figure {
    const s = sorted(observations);
    const figure: Figure = {
      name,
      value: rounded(quantile(s, 0.5)),
      unit,
      n: s.length,
      p5: rounded(quantile(s, 0.05)),
      p95: rounded(quantile(s, 0.95)),
      label,
    };
    this.#figures.push(figure);
    say(
      `${name} = ${figure.value} ${unit}${s.length > 1 ? ` (${figure.p5}–${figure.p95}, n ${s.length})` : ''}`,
    );
    return figure;
  }

  /** Takes a figure over that was written before. */
  keep(figure: Figure): Figure {
    this.#figures.push(figure);
    return figure;
  }

  /** Those so far. */
  get all(): readonly Figure[] {
    return this.#figures;
  }

  skip(name: string, why: string): void {
    this.#skipped.push({ name, why });
    say(`${name} skipped: ${why}`);
  }

  /** Writes the JSON of what there is so far. */
  save(out: string | undefined): void {
    if (out === undefined) return;
    const result: BenchResult = {
      schema: BENCH_SCHEMA,
      bench: this.#bench,
      revision: revision(),
      machine: {
        cpu: cpus()[0]?.model ?? 'unknown',
        cores: availableParallelism(),
        memoryBytes: totalmem(),
        kernel: release(),
        node: process.version,
      },
      startedAt: this.#startedAt,
      arguments: process.argv.slice(2),
      figures: this.#figures,
      skipped: this.#skipped,
    };
    writeFileSync(out, `${JSON.stringify(result, null, 2)}\n`);
  }

  /** Prints the table to stdout and writes the JSON. @returns the table */
  finish(out: string | undefined): string {
    const rows = this.#figures.map((f) => [f.name, `${f.value}`, f.unit, `${f.p5}`, `${f.p95}`, `${f.n}`]);
    const columns = ['figure', 'median', 'unit', 'p5', 'p95', 'n'].map((title, i) => ({
      title,
      align: i === 0 || i === 2 ? ('left' as const) : ('right' as const),
    }));
    const skipped = this.#skipped.map((s) => `skipped ${s.name}: ${s.why}`);
    const text = [...formatTable(columns, rows, ''), ...skipped].join('\n');
    console.log(text);
    this.save(out);
    return text;
  }
}

/** One line of progress. */
export function say(text: string): void {
  process.stderr.write(`${new Date().toISOString().slice(11, 19)} ${text}\n`);
}

/** Four significant digits: more is noise. */
function rounded(value: number): number {
  return Number.isFinite(value) ? Number(value.toPrecision(4)) : value;
}
