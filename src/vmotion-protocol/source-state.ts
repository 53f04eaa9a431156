/**
 * What the phases of the source share: where it stands, what the step in hand has decided so far, what is owed.
 * `source.ts` has the states; nothing but the functions of `source-*.ts` writes here.
 */
import { formatNs, PageSet } from '../core/index.js';
import { LateFrameBuffer } from './late-frames.js';
import { type Hash64, type Message, PROTOCOL_VERSION } from './messages.js';
import { PageHeat } from './page-heat.js';
import type { PauseInstants } from './pause-parts.js';
import { RoundLog } from './round-log.js';
import type { SourceAction, SourceOptions, SourceOutcome, SourcePhase } from './source-contract.js';
import { type ResolvedSourceOptions, resolveSourceOptions } from './source-options.js';

export const NEVER_NS = Number.POSITIVE_INFINITY;
const NO_HASH: Hash64 = Object.freeze({ lo: 0, hi: 0 });

export class SourceState {
  readonly options: ResolvedSourceOptions;
  readonly log: RoundLog;
  readonly frames: LateFrameBuffer;

  phase: SourcePhase = 'idle';
  connected = true;
  /** Serving, and it was told that the destination's process is gone. */
  saidGone = false;
  /** The control connection broke and the source has not taken up its work again; -1 when it stands. */
  lostSinceNs = -1;
  /** ASK has left over the connection that stands. */
  asked = false;
  /** FINAL has left over the connection that stands: late frames may follow it. */
  finalSent = false;
  /** Of the late frames that are kept, oldest first, how many were forwarded. */
  framesForwarded = 0;
  deadlineNs = NEVER_NS;
  precopyEndNs = NEVER_NS;
  /** Of the step in hand. */
  nowNs = 0;
  out: SourceAction[] = [];

  peerStoreId = '';
  minor = PROTOCOL_VERSION.minor;
  codec = '';
  pingNs = 0;
  readonly rttsNs: number[] = [];
  round = 0;
  /** Pages of the round in flight, and its number. */
  sending: PageSet;
  sendingRound = 0;
  /** What the destination lacks whatever came of the round in flight, when the connection is lost. */
  owed: PageSet;
  /** What the round in flight still waits for. */
  sent = false;
  sentPages = 0;
  doneAtPeer = false;
  ready = false;
  /** Pages that the destination missed in the round that is over: the next set of pages takes them in. */
  missed: PageSet | null = null;
  readonly heat = new PageHeat();
  /** Pages that the last round left out, since they keep changing; in post-copy all. */
  left: PageSet;
  /** Of these, what the guest will touch first: dirty after every round. */
  wanted: PageSet;
  flightPagesMax: number;
  /** What FINAL says the destination lacks. */
  missing: PageSet | null = null;
  hot: PageSet | null = null;
  dirty: PageSet | null = null;
  state: { readonly bytes: Uint8Array; readonly hash: Hash64 } | null = null;
  setHash: Hash64 = NO_HASH;
  /** COMMIT was ordered and the store has not said yet whether it stands. */
  commitPending = false;
  instants: { -readonly [K in keyof PauseInstants]: number } = {
    pauseCalledNs: 0,
    guestPausedNs: 0,
    harvestedNs: 0,
    stateSavedNs: 0,
    pagesSentNs: 0,
    commitRecordedNs: 0,
    finalSentNs: 0,
  };
  hashedPages = 0;
  /** How it will end, once what is still to be recorded is recorded. */
  ending: { readonly code: string; readonly text: string } = { code: 'VMOTION_OK', text: '' };

  /** @throws ConfigError VMOTION_CONFIG_RANGE */
  constructor(options: SourceOptions) {
    this.options = resolveSourceOptions(options);
    this.log = new RoundLog(options.pages);
    this.flightPagesMax = this.options.flightPages;
    this.left = this.wanted = this.sending = this.owed = new PageSet(options.pages);
    this.frames = new LateFrameBuffer(options.lateFramesMax, options.lateFrameBytesMax);
  }

  /** Whether the destination lacks pages when the guest starts there. */
  get incomplete(): boolean {
    return this.missing !== null && this.missing.next(0) >= 0;
  }

  beforeCommit(): boolean {
    switch (this.phase) {
      case 'committed':
      case 'serving':
      case 'ending':
      case 'proving':
      case 'withdrawing':
      case 'returning':
      case 'in-doubt':
      case 'over':
        return false;
      default:
        return true;
    }
  }

  enter(phase: SourcePhase, limitNs: number): void {
    const from = this.phase;
    this.phase = phase;
    this.deadlineNs = this.nowNs + limitNs;
    const text = `${from} → ${phase}`;
    this.do({ type: 'report', event: { type: 'phase', atNs: this.nowNs, from, to: phase, text } });
  }

  finish(outcome: SourceOutcome, code: string, text: string): void {
    this.freeGuest();
    this.enter('over', NEVER_NS);
    this.dirty = this.state = null;
    this.do({ type: 'finished', outcome, code, text });
  }

  freeGuest(): void {
    if (this.log.slowdown === 0) return;
    this.log.slowdown = 0;
    this.do({ type: 'slow-guest', share: 0 });
  }

  reportFrames(): void {
    const { counts } = this.frames;
    if (counts.in === 0) return;
    const text = `${counts.in} late frames, ${counts.dropped} dropped`;
    this.do({
      type: 'report',
      event: { type: 'late-frames', atNs: this.nowNs, counts, duplicates: 0, text },
    });
  }

  /** The destination has answered over the new connection. */
  linkIsBack(text: string): void {
    if (this.lostSinceNs < 0) return;
    const away = formatNs(this.nowNs - this.lostSinceNs);
    this.note('VMOTION_RECONNECTED', `the link was away for ${away}: ${text}`);
    this.lostSinceNs = -1;
  }

  note(code: string, text: string): void {
    this.do({ type: 'report', event: { type: 'note', atNs: this.nowNs, code, text } });
  }

  send(message: Message): void {
    if (this.connected) this.do({ type: 'send', message });
  }

  do(action: SourceAction): void {
    this.out.push(action);
  }
}
