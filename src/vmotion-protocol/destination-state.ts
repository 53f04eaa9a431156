/**
 * What the phases of the destination share. `destination.ts` has the states; nothing but the functions of
 * `destination-*.ts` writes here.
 */
import { NS_PER_MS, type PageSet } from '../core/index.js';
import {
  DESTINATION_TIMERS,
  type DestinationAction,
  type DestinationOptions,
  type DestinationOutcome,
  type DestinationPhase,
  type DestinationTimers,
} from './destination-contract.js';
import { requireRange, type VmotionErrorCode } from './errors.js';
import { DuplicateFilter, LateFrameBuffer } from './late-frames.js';
import {
  type Ask,
  type Final,
  type Message,
  type MigrationMode,
  type Offer,
  PAGES_MAX,
  type Resume,
  STATE_BYTES_MAX,
  STREAMS_MAX,
} from './messages.js';

export const NEVER_NS = Number.POSITIVE_INFINITY;

/** Why something ended. */
export interface Reason {
  readonly code: VmotionErrorCode | (string & {});
  readonly text: string;
}

export class DestinationState {
  readonly options: DestinationOptions;
  readonly timers: DestinationTimers;
  readonly streamsMax: number;
  readonly stateBytesMax: number;
  readonly frames: LateFrameBuffer;
  readonly filter: DuplicateFilter;

  phase: DestinationPhase = 'idle';
  connected = true;
  /** RESUME came while the decision was under way: it is answered behind STARTED. */
  resumeDue: Resume | null = null;
  deadlineNs = NEVER_NS;
  nicDirectNs = NEVER_NS;
  /** Of the step in hand. */
  nowNs = 0;
  out: DestinationAction[] = [];

  offer: Offer | null = null;
  /** Who asked before there was an offer. */
  askedBy: Ask | null = null;
  round = 0;
  /** The last round before the pause, from ARM; 0 before it. */
  armRound = 0;
  ready = false;
  mode: MigrationMode = 'pre-copy';
  final: Final | null = null;
  missing: PageSet | null = null;
  /** Pages are missing that FINAL named; decided when FINAL comes, over with `all-present`. */
  incomplete = false;
  postCopied = false;
  /** Pages of the final flight, once it is applied; -1 before. */
  flightPages = -1;
  decision: 'RUNNING' | 'NEVER' | null = null;
  reason: Reason = { code: 'VMOTION_OK', text: '' };
  sourceAborted = false;
  finished = false;
  started = false;
  times = { finalReceivedNs: 0, appliedNs: 0, verifiedNs: 0, recordedNs: 0, startedNs: 0 };

  /** @throws ConfigError VMOTION_CONFIG_RANGE */
  constructor(options: DestinationOptions) {
    requireRange('pages', options.pages, 1, PAGES_MAX);
    this.streamsMax = requireRange('streamsMax', options.streamsMax ?? STREAMS_MAX, 1, STREAMS_MAX);
    this.stateBytesMax = requireRange(
      'stateBytesMax',
      options.stateBytesMax ?? STATE_BYTES_MAX,
      0,
      STATE_BYTES_MAX,
    );
    this.timers = { ...DESTINATION_TIMERS, ...options.timers };
    for (const [name, ns] of Object.entries(this.timers)) {
      requireRange(`timers.${name}`, ns, NS_PER_MS, NEVER_NS, false);
    }
    this.options = options;
    this.frames = new LateFrameBuffer(options.lateFramesMax, options.lateFrameBytesMax);
    this.filter = new DuplicateFilter(this.timers.duplicateWindowNs);
  }

  /** Whether NEVER may still be decided. */
  undecided(): boolean {
    return this.phase === 'receiving' || this.phase === 'verifying' || this.phase === 'loading';
  }

  enter(phase: DestinationPhase, limitNs: number): void {
    const from = this.phase;
    this.phase = phase;
    this.deadlineNs = this.nowNs + limitNs;
    const text = `${from} → ${phase}`;
    this.do({ type: 'report', event: { type: 'phase', atNs: this.nowNs, from, to: phase, text } });
  }

  /** The frames' window outlives the end: copies of forwarded frames may still be on their way. */
  finish(outcome: DestinationOutcome, code: string, text: string): void {
    if (this.finished) return;
    this.finished = true;
    this.enter('over', NEVER_NS);
    this.final = null;
    this.do({ type: 'finished', outcome, code, text });
  }

  note(code: string, text: string): void {
    this.do({ type: 'report', event: { type: 'note', atNs: this.nowNs, code, text } });
  }

  send(message: Message): void {
    if (this.connected) this.do({ type: 'send', message });
  }

  do(action: DestinationAction): void {
    this.out.push(action);
  }
}
