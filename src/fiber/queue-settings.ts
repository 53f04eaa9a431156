/** The queue disciplines by name: their parameters and the check of these. */
import { formatNs, NS_PER_MS, NS_PER_S, NS_PER_US } from '../core/index.js';
import { Codel, type CodelSettings } from './codel.js';
import { DropTail, type DropTailLimits, type QueueDiscipline, Unlimited } from './queue-discipline.js';
import { refuse, within } from './refuse.js';

/** Plain JSON. `drop-tail` and `codel` keep the limits in bytes and frames, `none` has no limit. */
export type QueueDisciplineSettings =
  | { readonly kind: 'drop-tail' }
  | CodelSettings
  | { readonly kind: 'none' };

/** RFC 8289, 4.3 and 4.4. */
export const CODEL_DEFAULTS: CodelSettings = {
  kind: 'codel',
  targetNs: 5 * NS_PER_MS,
  intervalNs: 100 * NS_PER_MS,
};

/** @throws ConfigError `FIBER_CODEL_RANGE` */
export function checkQueueDiscipline(
  discipline: QueueDisciplineSettings,
  where: string,
): QueueDisciplineSettings {
  if (discipline.kind !== 'codel') return discipline;
  const { targetNs, intervalNs } = discipline;
  if (within(targetNs, NS_PER_US, NS_PER_S) && intervalNs > targetNs && intervalNs <= 10 * NS_PER_S) {
    return { kind: 'codel', targetNs: Math.round(targetNs), intervalNs: Math.round(intervalNs) };
  }
  return refuse(
    'FIBER_CODEL_RANGE',
    `${where}: CoDel with target ${formatNs(targetNs)} and interval ${formatNs(intervalNs)} is outside 1us..1s and target..10s`,
    discipline,
    { hint: 'the interval is about the longest round trip, 100ms; the target 5 to 10 % of it' },
  );
}

/** @param limits reads the limits as they are now */
export function newQueueDiscipline(
  discipline: QueueDisciplineSettings,
  limits: () => DropTailLimits,
): QueueDiscipline {
  if (discipline.kind === 'codel') return new Codel(discipline, limits);
  return discipline.kind === 'none' ? new Unlimited() : new DropTail(limits);
}
