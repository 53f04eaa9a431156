/**
 * What a machine reports while it works: the timeline of a migration. Reports steer nothing; drivers put
 * them into results and progress lines.
 */
import type { ConvergenceVerdict, RoundStats } from './convergence-contract.js';
import type { LateFrameCounts } from './late-frames.js';
import type { PauseParts } from './pause-parts.js';

export type TimelineEvent = { readonly atNs: number /** One line for people. */; readonly text: string } & (
  | { readonly type: 'phase'; readonly from: string; readonly to: string }
  | { readonly type: 'rtt'; readonly minNs: number; readonly medianNs: number }
  | { readonly type: 'round-begin'; readonly round: number; readonly pages: number }
  /** After every round's harvest; `verdict` is null after the last round before the pause. */
  | { readonly type: 'round'; readonly stats: RoundStats; readonly verdict: ConvergenceVerdict | null }
  | { readonly type: 'pause'; readonly parts: PauseParts }
  | { readonly type: 'late-frames'; readonly counts: LateFrameCounts; readonly duplicates: number }
  /** Something worth knowing that changes nothing. */
  | { readonly type: 'note'; readonly code: string }
);
