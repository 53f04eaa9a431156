/** What carried the moves, and what it made of loss: from the `transport` part of each migration. */
import { formatBps, formatBytes, formatNs } from '../core/index.js';
import type { MigrationResult, RunResult } from '../lab/result.js';
import { formatCount, percent } from './figures.js';
import { median } from './quantile.js';
import type { Paint } from './table.js';

type Transport = NonNullable<MigrationResult['transport']>;

export function transportLines({ migrations }: RunResult, p: Paint): string[] {
  const all = migrations.flatMap((m) => m.transport ?? []);
  const [first] = all;
  if (first === undefined) return [];
  const mid = (of: (t: Transport) => number): number => median(all.map(of));
  const moves = all.length === 1 ? '1 move' : `p50 of ${all.length} moves`;
  const streams = first.name === 'tcp' && first.streams > 1 ? `, ${first.streams} streams` : '';
  const paced = all.flatMap((t) => t.pacingBps ?? []);
  const lines = [
    p.bold(`Transport ${first.name}, ${first.congestion}${streams}`) + p.dim(` (${moves})`),
    `  ${formatCount(Math.round(mid((t) => t.packetsSent)))} packets, ` +
      `${formatCount(Math.round(mid((t) => t.packetsLost)))} lost (${percent(mid((t) => t.seenLossProb))}), ` +
      `${paced.length === 0 ? 'not paced' : `paced at ${formatBps(median(paced))} at the end`}, ` +
      `round trip ${formatNs(mid((t) => t.rttMinNs))} at least`,
  ];
  if (first.name === 'udp')
    lines.push(
      `  ${formatBytes(mid((t) => t.bytesResent))} sent again, ${Math.round(mid((t) => t.pagesSuperseded))} pages anew as ` +
        `they had changed, ${Math.round(mid((t) => t.paritySent))} parity, which gave back ${Math.round(mid((t) => t.parityUsed))}`,
    );
  return lines;
}
