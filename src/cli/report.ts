/** `longhaul report RESULT… --out FILE.html`: one page about results, and its plots as files where asked for. */
import { mkdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { htmlReport, svgFile } from '../report/index.js';
import { EXIT_OK } from './exit-codes.js';
import { namedResults, type ResultsContext, writeText } from './results.js';
import type { ReportTyped } from './results-command.js';

export function report(words: readonly string[], typed: ReportTyped, { err }: ResultsContext): number {
  const results = namedResults(words, typed.store);
  const title = typed.title ?? (results.length === 1 ? `longhaul: ${results[0]!.name}` : 'longhaul: results');
  const { html, plots } = htmlReport(results, title);
  writeText(typed.out, html);
  if (typed.svg !== undefined) {
    mkdirSync(typed.svg, { recursive: true });
    for (const plot of plots) writeText(join(typed.svg, `${plot.id}.svg`), svgFile(plot));
  }
  err(
    `${basename(typed.out)}: ${results.length} results, ${plots.length} plots, ${Math.ceil(html.length / 1024)} KiB\n`,
  );
  return EXIT_OK;
}
