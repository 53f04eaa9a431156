/**
 * What is made wrong on purpose, one thing at a time: each must be caught by the checker, or it proves nothing.
 * The machines are not touched: what they do is altered on its way to the world.
 */

import { PageSet } from '../../src/core/index.js';
import {
  altered,
  type Bounds,
  type DestinationSpecimen,
  type Mutation,
  type SourceSpecimen,
} from '../../src/sim/check/index.js';
import type {
  DestinationAction,
  Message,
  MigrationMode,
  SourceAction,
} from '../../src/vmotion-protocol/index.js';

export interface ProvedMutation extends Mutation {
  readonly mode: MigrationMode;
  /** The rule of docs/design.md that it breaks first. */
  readonly rule: number;
  /** What has to happen for it to show; nothing else does. */
  readonly takes: Partial<Bounds>;
}

const MIGRATION_ID = '0123456789abcdef0123456789abcdef';
const NACK: Message = { type: 'nack', migrationId: MIGRATION_ID, code: 'VMOTION_CANCELLED', text: '' };

function isSend(a: SourceAction | DestinationAction, type: Message['type']): boolean {
  return a.type === 'send' && a.message.type === type;
}

function orders(actions: readonly (SourceAction | DestinationAction)[], what: string): boolean {
  return actions.some((a) => (a.type === 'record' ? `record ${a.record}` : a.type) === what);
}

/** The source does one thing more when it comes to be in doubt by this event. */
function whenInDoubt(event: string, more: SourceAction): (m: SourceSpecimen) => SourceSpecimen {
  return (machine) =>
    altered(machine, (actions, e) => {
      const doubt = actions.some((a) => a.type === 'finished' && a.outcome === 'in-doubt');
      return doubt && e.type === event ? [...actions, more] : actions;
    });
}

/** The source takes an answer for NEVER. */
function takesForNever(verdict: string): (m: SourceSpecimen) => SourceSpecimen {
  return (machine) =>
    altered(machine, (actions, e, give) => {
      const heard = e.type === 'received' && e.message.type === 'answer' && e.message.verdict === verdict;
      return heard ? give({ type: 'resolved', verdict: 'never', text: '' }) : actions;
    });
}

function replacesSource(replace: (a: SourceAction) => readonly SourceAction[]) {
  return (machine: SourceSpecimen) => altered(machine, (actions) => actions.flatMap(replace));
}

function replacesDestination(replace: (a: DestinationAction) => readonly DestinationAction[]) {
  return (machine: DestinationSpecimen) => altered(machine, (actions) => actions.flatMap(replace));
}

export const MUTATIONS: readonly ProvedMutation[] = [
  // ── the source ────────────────────────────────────────────────────────────────────────────────
  {
    name: 'skips-the-commit-record',
    mode: 'pre-copy',
    rule: 2,
    takes: {},
    source: (machine) =>
      altered(machine, (actions, _, give) =>
        orders(actions, 'record COMMIT') ? give({ type: 'recorded', record: 'COMMIT' }) : actions,
      ),
  },
  {
    name: 'sends-final-before-commit-is-recorded',
    mode: 'hybrid',
    rule: 2,
    takes: {},
    source: (machine) =>
      altered(machine, (actions, _, give) =>
        orders(actions, 'record COMMIT')
          ? [...give({ type: 'recorded', record: 'COMMIT' }), ...actions]
          : actions,
      ),
  },
  {
    name: 'resumes-on-a-timeout',
    mode: 'pre-copy',
    rule: 2,
    takes: {},
    source: whenInDoubt('woke', { type: 'resume-guest' }),
  },
  {
    name: 'resumes-on-a-lost-link',
    mode: 'pre-copy',
    rule: 2,
    takes: { partitions: 1 },
    source: whenInDoubt('connection-lost', { type: 'resume-guest' }),
  },
  {
    name: 'takes-unknown-for-never',
    mode: 'pre-copy',
    rule: 2,
    takes: { crashes: 1, storesLost: 1 },
    source: takesForNever('unknown'),
  },
  {
    name: 'takes-undecided-for-never',
    mode: 'pre-copy',
    rule: 2,
    takes: { losses: 1 },
    source: takesForNever('undecided'),
  },
  {
    name: 'gives-the-memory-up-in-doubt',
    mode: 'pre-copy',
    rule: 3,
    takes: {},
    source: whenInDoubt('woke', { type: 'release-guest' }),
  },
  {
    name: 'records-ended-before-started',
    mode: 'pre-copy',
    rule: 3,
    takes: {},
    source: replacesSource((a) => (isSend(a, 'final') ? [a, { type: 'record', record: 'ENDED' }] : [a])),
  },
  {
    name: 'frees-pages-on-started',
    mode: 'post-copy',
    rule: 7,
    takes: {},
    source: (machine) =>
      altered(machine, (actions, e) =>
        e.type === 'received' && e.message.type === 'started'
          ? [...actions, { type: 'release-guest' }]
          : actions,
      ),
  },
  {
    name: 'hides-the-last-dirty-pages',
    mode: 'pre-copy',
    rule: 4,
    takes: { writes: 1 },
    source: replacesSource((a) =>
      a.type === 'send-pages' && a.final ? [{ ...a, pages: new PageSet(a.pages.pages) }] : [a],
    ),
  },
  {
    name: 'forgets-late-frames-on-nack',
    mode: 'pre-copy',
    rule: 5,
    takes: { frames: 1 },
    source: replacesSource((a) => (a.type === 'deliver-late-frames' ? [] : [a])),
  },
  {
    name: 'forwards-no-late-frame',
    mode: 'pre-copy',
    rule: 5,
    takes: { frames: 1 },
    source: replacesSource((a) => (isSend(a, 'frame') ? [] : [a])),
  },
  {
    name: 'waits-for-ever-at-the-end',
    mode: 'pre-copy',
    rule: 6,
    takes: {},
    source: replacesSource((a) => (a.type === 'record' && a.record === 'ENDED' ? [] : [a])),
  },
  {
    name: 'does-not-ask-what-is-lacking',
    mode: 'post-copy',
    rule: 6,
    takes: { losses: 1 },
    source: replacesSource((a) => (isSend(a, 'resume') ? [] : [a])),
  },
  // ── the destination ───────────────────────────────────────────────────────────────────────────
  {
    name: 'starts-without-verifying',
    mode: 'pre-copy',
    rule: 4,
    takes: { corruptions: 1 },
    destination: (machine) =>
      altered(machine, (actions, _, give) =>
        orders(actions, 'verify') ? give({ type: 'verified', ok: true, text: '' }) : actions,
      ),
  },
  {
    name: 'starts-without-the-running-record',
    mode: 'pre-copy',
    rule: 7,
    takes: {},
    destination: (machine) =>
      altered(machine, (actions, _, give) =>
        orders(actions, 'record RUNNING') ? give({ type: 'recorded', record: 'RUNNING' }) : actions,
      ),
  },
  {
    name: 'starts-after-never',
    mode: 'pre-copy',
    rule: 7,
    takes: {},
    destination: (machine) =>
      altered(machine, (actions, e) =>
        e.type === 'received' && e.message.type === 'final' && actions.some((a) => isSend(a, 'nack'))
          ? [...actions, { type: 'start-guest' }]
          : actions,
      ),
  },
  {
    name: 'nacks-before-never-is-recorded',
    mode: 'pre-copy',
    rule: 7,
    takes: {},
    destination: replacesDestination((a) =>
      a.type === 'record' && a.record === 'NEVER' ? [{ type: 'send', message: NACK }, a] : [a],
    ),
  },
  {
    name: 'decides-twice',
    mode: 'pre-copy',
    rule: 7,
    takes: { partitions: 1 },
    destination: (machine) =>
      altered(machine, (actions, e) =>
        e.type === 'connection-lost' && machine.phase === 'deciding'
          ? [...actions, { type: 'record', record: 'NEVER' }]
          : actions,
      ),
  },
  {
    name: 'forgets-records-before-ended',
    mode: 'pre-copy',
    rule: 7,
    takes: {},
    destination: replacesDestination((a) => (isSend(a, 'started') ? [a, { type: 'forget-records' }] : [a])),
  },
  {
    name: 'says-never-while-undecided',
    mode: 'pre-copy',
    rule: 7,
    takes: { losses: 1 },
    destination: replacesDestination((a) =>
      a.type === 'send' && a.message.type === 'answer' && a.message.verdict === 'undecided'
        ? [{ type: 'send', message: { ...a.message, verdict: 'never' } }]
        : [a],
    ),
  },
  {
    name: 'says-started-before-the-start',
    mode: 'pre-copy',
    rule: 7,
    takes: {},
    destination: (machine) =>
      altered(machine, (actions, _, give) =>
        orders(actions, 'start-guest') ? give({ type: 'guest-started', atNs: 0 }) : actions,
      ),
  },
  {
    name: 'announces-after-started',
    mode: 'pre-copy',
    rule: 5,
    takes: {},
    destination: (machine) =>
      altered(machine, (actions) =>
        orders(actions, 'announce')
          ? [...actions.filter((a) => a.type !== 'announce'), { type: 'announce' }]
          : actions,
      ),
  },
  {
    name: 'says-complete-too-early',
    mode: 'post-copy',
    rule: 7,
    takes: {},
    destination: replacesDestination((a) =>
      isSend(a, 'started')
        ? [a, { type: 'send', message: { type: 'complete', migrationId: MIGRATION_ID, epoch: 1 } }]
        : [a],
    ),
  },
  {
    name: 'does-not-say-what-it-lacks',
    mode: 'post-copy',
    rule: 6,
    takes: { losses: 1 },
    destination: replacesDestination((a) => (isSend(a, 'lacks') ? [] : [a])),
  },
  {
    name: 'answers-never-without-a-record',
    mode: 'pre-copy',
    rule: 7,
    takes: { crashes: 1 },
    destination: (machine) =>
      altered(machine, (actions, _, give) =>
        orders(actions, 'record NEVER') ? give({ type: 'recorded', record: 'NEVER' }) : actions,
      ),
  },
  // ── what its host tells a new machine ─────────────────────────────────────────────────────────
  { name: 'accepts-an-old-epoch', mode: 'pre-copy', rule: 7, takes: { duplicates: 1 }, unaware: 'records' },
  {
    name: 'decides-anew-after-a-crash',
    mode: 'pre-copy',
    rule: 7,
    takes: { crashes: 1 },
    unaware: 'records',
  },
  {
    name: 'answers-from-another-store',
    mode: 'pre-copy',
    rule: 7,
    takes: { crashes: 1, storesLost: 1 },
    unaware: 'store',
  },
];
