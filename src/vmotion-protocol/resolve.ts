/**
 * What a host answers when an in-doubt source asks: rule 7 of docs/design.md, "Protocol".
 *
 *   other store ─────────────► unknown      (never NACK: these records are not the ones)
 *   RUNNING on record ───────► running
 *   NEVER on record ─────────► never
 *   nothing on record, and
 *     a machine is at work ──► undecided    (it will decide; ask again)
 *     none ──────────────────► record NEVER first, then never
 */
import type { Ask, Verdict } from './messages.js';

/** What is on record at this host under the asked name. */
export interface KnownDecision {
  readonly storeId: string;
  readonly decision: 'RUNNING' | 'NEVER' | null;
  /** Whether a destination machine of this migration is still undecided in this process. */
  readonly live: boolean;
}

/** `record-never`: write NEVER, and answer `never` only when it is on record. */
export function answerAsk(ask: Ask, known: KnownDecision): Verdict | 'record-never' {
  if (ask.storeId !== known.storeId) return 'unknown';
  if (known.decision !== null) return known.decision === 'RUNNING' ? 'running' : 'never';
  return known.live ? 'undecided' : 'record-never';
}
