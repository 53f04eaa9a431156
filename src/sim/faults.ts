/**
 * What may befall a world, as plain data: a schedule can be printed, cut down and run again.
 *
 *   when   so long after the migration was ordered, or after a machine entered a phase for the first time
 *   what   a host dies, comes back, stands still, its clock jumps, its disk fills or slows; the fiber is cut, or hurts
 *          frames; an operator cancels
 */
import { formatNs } from '../core/index.js';
import type { LaneSettings } from '../fiber/index.js';
import type { SiteName } from './stretched-segment.js';

export type FaultKind =
  | { readonly do: 'crash' | 'restart'; readonly host: SiteName }
  | { readonly do: 'freeze' | 'clock-jump'; readonly host: SiteName; readonly ns: number }
  | { readonly do: 'disk-slow'; readonly host: SiteName; readonly times: number }
  | { readonly do: 'disk-full' | 'disk-free'; readonly host: SiteName }
  | { readonly do: 'link'; readonly direction: 'a-b' | 'b-a' | 'both'; readonly state: 'up' | 'down' }
  | { readonly do: 'fiber'; readonly direction: 'a-b' | 'b-a' | 'both'; readonly set: Partial<LaneSettings> }
  | { readonly do: 'cancel' };

export interface Fault {
  /** `ordered`, or `source:PHASE`, `destination:PHASE` of the first migration. */
  readonly when: string;
  readonly afterNs: number;
  readonly what: FaultKind;
}

/** One line for people. */
export function describeFault({ when, afterNs, what }: Fault): string {
  const { do: does, ...rest } = what;
  const words = Object.entries(rest).map(([key, value]) =>
    key === 'ns'
      ? formatNs(value as number)
      : typeof value === 'object'
        ? JSON.stringify(value)
        : String(value),
  );
  return `${formatNs(afterNs)} after ${when}: ${[does, ...words].join(' ')}`;
}
