/**
 * The early verdict on rounds that will not reach the pause target: why, and what would help. Each remedy is played
 * on the policy's own model before it is named.
 */
import { formatBps, formatNs, PAGE_SIZE } from '../core/index.js';
import type { ConvergenceHistory } from './convergence-contract.js';

/** Time until the guest runs at the destination, with the guest's and the link's speed scaled; Infinity for never. */
export type ScaledForecast = (history: ConvergenceHistory, guestScale: number, linkScale: number) => number;

const SLOWED = [0.8, 0.6, 0.4, 0.25, 0.15, 0.08] as const;
const FASTER = [2, 4, 10] as const;

/** @returns `will not converge, because …; would with …` */
export function outlookOf(
  history: ConvergenceHistory,
  limits: { readonly targetPauseNs: number },
  forecast: ScaledForecast,
): string {
  const last = history.rounds[history.rounds.length - 1]!;
  const widest = history.rounds.reduce((a, b) => (b.bytes >= a.bytes ? b : a));
  const dirtyBps = last.dirtyRatePagesPerS * PAGE_SIZE * 8;
  const why =
    `${last.dirtyPages} pages are dirty again after a round; the guest dirties ${formatBps(dirtyBps)}, ` +
    `the link carries ${formatBps(widest.throughputBps)}`;
  const remedies = ['--mode hybrid'];
  const slow = SLOWED.find((scale) => forecast(history, scale, 1) !== Infinity);
  if (slow !== undefined) {
    const percent = Math.round(100 * slow);
    remedies.push(`--slow-guest (at ${percent} % of its speed)`);
  }
  const fast = FASTER.find((scale) => forecast(history, 1, scale) !== Infinity);
  if (fast !== undefined) remedies.push(`${fast} times the rate`);
  return (
    `will not converge to a pause of ${formatNs(limits.targetPauseNs)}, because ${why}; ` +
    `would with ${remedies.join(' or ')}`
  );
}
