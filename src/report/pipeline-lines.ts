/** The summary's lines on the page pipeline: what pages took on the wire, what saved how much, and at what cost. */
import { formatBytes, formatNs, PAGE_SIZE } from '../core/index.js';
import type { PipelineResult, RunResult } from '../lab/result.js';
import { formatCount } from './figures.js';
import { median } from './quantile.js';
import { type Paint, wrap } from './table.js';

const WIDTH = 100;

export function pipelineLines({ migrations }: RunResult, p: Paint): string[] {
  const all = migrations.flatMap((m) => (m.pipeline === null || m.pipeline.pages === 0 ? [] : [m.pipeline]));
  if (all.length === 0) return [];
  const mid = (of: (r: PipelineResult) => number): number => Math.round(median(all.map(of)));
  const moves = all.length === 1 ? '1 move' : `p50 of ${all.length} moves`;
  const codecs = [...new Set(all.flatMap((r) => r.codec ?? []))];
  const saved = (name: string, of: (r: PipelineResult) => PipelineResult['zero']): string[] => {
    const bytes = mid((r) => of(r).savedBytes);
    return bytes === 0 ? [] : [`${name} saved ${formatBytes(bytes)}`];
  };
  const parts = [
    ...saved('zero pages', (r) => r.zero),
    ...saved('dedup', (r) => r.dedup),
    ...saved('deltas', (r) => r.delta),
    ...saved(codecs.length === 0 ? 'compression' : codecs.join(' and '), (r) => r.compress),
  ];
  const size = `${formatBytes(mid((r) => r.pages) * PAGE_SIZE)} of pages as ${formatBytes(mid((r) => r.bytes))}`;
  const missed = mid((r) => r.misses);
  const cost = [
    `${formatNs(mid((r) => r.cpuNs))} of CPU`,
    ...(missed === 0 ? [] : [`${formatCount(missed)} pages missed and sent again`]),
  ];
  const text = `${size}${parts.length === 0 ? ', nothing saved' : `: ${parts.join(', ')}`}; ${cost.join(', ')}`;
  return [p.bold('Page pipeline') + p.dim(` (${moves})`), ...wrap(text, WIDTH, '  ')];
}
