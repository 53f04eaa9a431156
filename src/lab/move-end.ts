/**
 * How a move has ended, from what is known of both hosts: who lives, what the destination has decided, what was
 * reported. Pure. Rule 3 of docs/design.md, "Protocol".
 *
 *   source     destination                       the guest
 *   lives      lives                             as the source says: completed, stayed, in doubt
 *   lives      dead, RUNNING on record           lost: it started there; unless an operator had it run on at the source
 *   lives      dead, RUNNING not on record       as the source says
 *   dead       lives, the guest has all pages    completed
 *   dead       lives, the guest lacks pages      lost: its missing pages were the source's
 *   dead       the guest does not run there      lost
 */
import type { Site } from './config/experiment.js';
import type { MigrationResult } from './result.js';

export interface MoveEvidence {
  readonly from: Site;
  readonly to: Site;
  readonly sourceLives: boolean;
  readonly destinationLives: boolean;
  /** The source says that the guest runs on there. */
  readonly returned: boolean;
  /** What the destination's store says of this migration. */
  readonly decision: 'RUNNING' | 'NEVER' | null;
  /** What the destination's process said of the guest. */
  readonly guestThere: 'no' | 'lacks-pages' | 'whole';
}

type End = Pick<MigrationResult, 'outcome' | 'guestAt' | 'reason'>;

/** @returns the end that the hosts' lives decide, or null when the source's own report stands */
export function endByDeath(e: MoveEvidence): End | null {
  const { from, to } = e;
  if (e.sourceLives && e.returned) return null;
  const started = e.guestThere !== 'no' || e.decision === 'RUNNING';
  if (!e.destinationLives && started)
    return lost('LAB_HOST_DIED', `host ${to} has died, and the guest with it: it had started there`);
  if (e.sourceLives) return null;
  if (e.destinationLives && e.guestThere === 'whole') {
    const reason = { code: 'LAB_HOST_DIED', text: `host ${from} has died; the guest had left it` };
    return { outcome: 'completed', guestAt: to, reason };
  }
  if (e.guestThere === 'lacks-pages')
    return lost(
      'LAB_PAGES_LOST',
      `host ${from} has died while it served pages that the guest at ${to} lacks: the guest waits for ever at the first of them that it touches`,
    );
  return lost('LAB_HOST_DIED', `host ${from} has died, and the guest with it`);
}

function lost(code: string, text: string): End {
  return {
    outcome: 'lost',
    guestAt: null,
    reason: { code, text: `${text}; boot it anew, or from a copy of its disks` },
  };
}
