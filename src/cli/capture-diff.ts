/**
 * `longhaul capture diff A B`: counts, delays, and the first differences of each kind.
 *
 *   exit 0   every packet of A is in B, unchanged and in order, and nothing else is
 *   exit 1   they differ
 */
import { formatNs } from '../core/index.js';
import { type CaptureDiff, type Difference, diffCaptures } from '../dissect/index.js';
import type { Distribution } from '../replay/index.js';
import { paint } from '../report/index.js';
import { type CaptureReadContext, limitOf } from './capture-show.js';
import { EXIT_FAILED, EXIT_OK } from './exit-codes.js';

/** commander's options. */
export interface CaptureDiffTyped {
  readonly interfaceA?: string;
  readonly interfaceB?: string;
  readonly limit?: string;
  readonly tolerant?: boolean;
  readonly json?: boolean;
}

const DEFAULT_LISTED = 10;

/** @returns the exit code @throws ConfigError CAPTURE_…, DISSECT_… */
export async function captureDiff(
  a: string,
  b: string,
  typed: CaptureDiffTyped,
  context: CaptureReadContext,
): Promise<number> {
  const tolerant = typed.tolerant ?? false;
  const diff = await diffCaptures(
    () => context.openCapture(a, { tolerant }),
    () => context.openCapture(b, { tolerant }),
    {
      interfaceA: typed.interfaceA ?? null,
      interfaceB: typed.interfaceB ?? null,
      listed: limitOf(typed.limit, DEFAULT_LISTED),
    },
  );
  context.out(`${typed.json === true ? JSON.stringify(diff) : diffText(diff, context.colour)}\n`);
  return isSame(diff) ? EXIT_OK : EXIT_FAILED;
}

function isSame(d: CaptureDiff): boolean {
  return d.lost + d.added + d.duplicated + d.reordered + d.changed === 0;
}

/** The comparison for people. */
export function diffText(d: CaptureDiff, colour = false): string {
  const p = paint(colour);
  const parts = Object.entries(d.changedParts).map(([part, n]) => `${part} ${n}`);
  const floor = d.delayFloorNs !== 0 ? `, counted from ${formatNs(d.delayFloorNs)}: the clocks differ` : '';
  return [
    `${d.packetsA} packets in A, ${d.packetsB} in B, ${d.matched} in both, matched by ${d.matchedBy}`,
    `lost ${d.lost}, added ${d.added}, duplicated ${d.duplicated}, reordered ${d.reordered}, changed ${d.changed}` +
      (parts.length > 0 ? ` (${parts.join(', ')})` : ''),
    ...delayLine('delay', d.delayNs, floor),
    ...delayLine('delay the other way', d.delayBackNs, ''),
    ...d.differences.map((difference) => p.yellow(`  ${differenceText(difference)}`)),
  ].join('\n');
}

function delayLine(name: string, { count, min, p50, p99, max }: Distribution, note: string): string[] {
  if (count === 0) return [];
  const spread = `from ${formatNs(min)}, p50 ${formatNs(p50)}, p99 ${formatNs(p99)}, at most ${formatNs(max)}`;
  return [`${name} ${spread}${note}`];
}

function differenceText({ kind, numberA, numberB, changed, text }: Difference): string {
  const numbers = [numberA === null ? null : `A ${numberA}`, numberB === null ? null : `B ${numberB}`];
  const what = changed.length > 0 ? ` (${changed.join(', ')})` : '';
  return `${kind}${what}, ${numbers.filter((n) => n !== null).join(', ')}: ${text}`;
}
