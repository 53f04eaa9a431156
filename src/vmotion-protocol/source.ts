/**
 * The source of a migration: pre-copy rounds, the switchover, post-copy. Sans-IO: events in, actions out.
 * Page bytes never pass through it, only sets of pages and counts. Rules 1–7 of docs/design.md, "Protocol".
 *
 *   idle ─start─► offering ─ACCEPT─► probing ─PONGs─► tracking ─harvested─► round ◄────────── continue ┐
 *                    │REFUSE                                                 │ sent, ROUND_DONE        │
 *                    ▼                                                       ▼                         │
 *                  over                                                  harvesting ─harvested, policy─┤
 *                                                                                                      │ switch
 *   ┌── ARM + last round: sent, ROUND_DONE, READY ◄──────────────────────────────── last-round ◄───────┘
 *   ▼
 *   pausing ─guest-paused─► saving ─harvested, state-saved─► final-flight ─round-sent─► committing
 *                                                                                          │ COMMIT recorded
 *                        resume, over ◄─ENDED recorded─ returning ◄─NACK─┐                 ▼ FINAL
 *                                                           ▲            ├──────────── committed
 *                                              NACK, ANSWER │            │                 │ STARTED
 *                                                       in-doubt ◄─lost, timeout           ▼
 *                                                           └──── STARTED, ANSWER ──────► pages missing? ──no──┐
 *                                                                                          │ yes               ▼
 *                                                                     lost: waits for ever serving ─COMPLETE─► ending
 *                                                                     reconnected: RESUME   └─◄─LACKS            │ ENDED recorded
 *                                                                                                                ▼
 *                                                                                              over ◄─HASHES─ proving
 *
 * Up to `committing` any loss, timeout, cancel or violation leads back: ABORT, the guest resumes, over. If
 * COMMIT is just being written then, the guest resumes at once all the same (without FINAL nobody else can
 * start it) and `withdrawing` waits for the record, to close it with ENDED. From `committed` on the
 * guest resumes only on the destination's NEVER.
 * Post-copy and hybrid: FINAL names the pages that the destination lacks; the guest stands, so their content is final,
 * and serving them begins behind FINAL without waiting for STARTED. Post-copy makes one round of no pages.
 * Left out: authentication (the transport's).
 * Longer than a file should be: every state has to answer every event, and that is best judged on one page. What
 * decides nothing stands elsewhere: options, the rounds' figures, the policy, frames, the pause's parts.
 */
import { formatNs, type Machine, PAGE_SIZE, PageSet } from '../core/index.js';
import type { ConvergencePolicy, ConvergenceVerdict } from './convergence-contract.js';
import type { VmotionErrorCode } from './errors.js';
import { LateFrameBuffer } from './late-frames.js';
import {
  type Accept,
  type Answer,
  FRAME_BYTES_MAX,
  type Hash64,
  type Hashes,
  type Lacks,
  type Message,
  type MessageType,
  type MigrationMode,
  PROTOCOL_VERSION,
  ROUND_MAX,
  type RoundDone,
  type Started,
} from './messages.js';
import { PageHeat, takePages } from './page-heat.js';
import { decodePageSet, encodePageSet } from './page-set-codec.js';
import { type PauseInstants, pausePartsOf } from './pause-parts.js';
import { isOffered } from './pipeline/codec.js';
import { RoundLog } from './round-log.js';
import type {
  SourceAction,
  SourceEvent,
  SourceOptions,
  SourceOutcome,
  SourcePhase,
} from './source-contract.js';
import { type ResolvedSourceOptions, resolveSourceOptions } from './source-options.js';

const NEVER_NS = Number.POSITIVE_INFINITY;
const NO_HASH: Hash64 = Object.freeze({ lo: 0, hi: 0 });
const ETHERNET_HEADER_BYTES = 14;
const HASH_BYTES = 8;
/** Without rounds nobody has said how many pages a pause may carry: those that a guest's first steps touch. */
const FLIGHT_PAGES = 16;

export class Source implements Machine<SourceEvent, SourceAction> {
  readonly #options: ResolvedSourceOptions;
  readonly #log: RoundLog;
  readonly #frames: LateFrameBuffer;

  #phase: SourcePhase = 'idle';
  #connected = true;
  #deadlineNs = NEVER_NS;
  #precopyEndNs = NEVER_NS;
  /** Of the step in hand. */
  #nowNs = 0;
  #out: SourceAction[] = [];

  #peerStoreId = '';
  #minor = PROTOCOL_VERSION.minor;
  #codec = '';
  #pingNs = 0;
  readonly #rttsNs: number[] = [];
  #round = 0;
  /** What the round in flight still waits for. */
  #sent = false;
  #sentPages = 0;
  #doneAtPeer = false;
  #ready = false;
  /** Pages that the destination missed in the round that is over: the next set of pages takes them in. */
  #missed: PageSet | null = null;
  readonly #heat = new PageHeat();
  /** Pages that the last round left out, since they keep changing; in post-copy all. */
  #left: PageSet;
  /** Of these, what the guest will touch first: dirty after every round. */
  #wanted: PageSet;
  #flightPagesMax = FLIGHT_PAGES;
  /** What FINAL says the destination lacks. */
  #missing: PageSet | null = null;
  #hot: PageSet | null = null;
  #dirty: PageSet | null = null;
  #state: { readonly bytes: Uint8Array; readonly hash: Hash64 } | null = null;
  #setHash: Hash64 = NO_HASH;
  /** COMMIT was ordered and the store has not said yet whether it stands. */
  #commitPending = false;
  #instants: { -readonly [K in keyof PauseInstants]: number } = {
    pauseCalledNs: 0,
    guestPausedNs: 0,
    harvestedNs: 0,
    stateSavedNs: 0,
    pagesSentNs: 0,
    commitRecordedNs: 0,
    finalSentNs: 0,
  };
  #hashedPages = 0;
  /** How it will end, once what is still to be recorded is recorded. */
  #ending: { readonly code: string; readonly text: string } = { code: 'VMOTION_OK', text: '' };

  /** @throws ConfigError VMOTION_CONFIG_RANGE */
  constructor(options: SourceOptions) {
    this.#options = resolveSourceOptions(options);
    this.#log = new RoundLog(options.pages);
    this.#left = this.#wanted = new PageSet(options.pages);
    this.#frames = new LateFrameBuffer(options.lateFramesMax, options.lateFrameBytesMax);
  }

  get phase(): SourcePhase {
    return this.#phase;
  }

  /** How the memory moves; what both sides agreed on once ACCEPT has come. */
  get mode(): MigrationMode {
    return this.#log.mode;
  }

  /** The minor version that both sides speak; of account once ACCEPT has come. */
  get minor(): number {
    return this.#minor;
  }

  /** The codec that both sides have agreed on; empty before ACCEPT, and where there is none. */
  get codec(): string {
    return this.#codec;
  }

  nextWakeNs(): number {
    return this.#deadlineNs;
  }

  step(nowNs: number, event: SourceEvent, out: SourceAction[]): void {
    this.#nowNs = nowNs;
    this.#out = out;
    if (this.#phase === 'over') return;
    switch (event.type) {
      case 'start':
        if (this.#phase === 'idle') this.#offer();
        break;
      case 'received':
        this.#received(event.message);
        break;
      case 'harvested':
        this.#harvested(event.dirty, event.dirtyPages);
        break;
      case 'round-sent':
        this.#roundSent(event);
        break;
      case 'guest-paused':
        if (this.#phase === 'pausing') this.#guestPaused();
        break;
      case 'state-saved':
        if (this.#phase === 'saving') this.#stateSaved(event.state, event.stateHash);
        break;
      case 'recorded':
        if (event.record === 'COMMIT') this.#commitRecorded();
        else this.#endRecorded();
        break;
      case 'record-failed':
        this.#recordFailed(event.record, event.text);
        break;
      case 'late-frame':
        this.#lateFrame(event.bytes);
        break;
      case 'connection-lost':
        if (this.#connected) {
          this.#connected = false;
          this.#fail('VMOTION_CONNECTION_LOST', event.text);
        }
        break;
      case 'reconnected':
        this.#reconnected();
        break;
      case 'resolved':
        if (this.#phase === 'in-doubt') this.#settle(event.verdict, event.text);
        else if (this.#phase === 'serving' && event.verdict === 'running') this.#freedByWord(event.text);
        break;
      case 'violation':
        this.#violation(event.code, event.text);
        break;
      case 'cancel':
        if (this.#beforeCommit()) this.#giveUp('VMOTION_CANCELLED', event.text);
        else this.#note('VMOTION_CANCELLED', `too late to cancel: ${event.text}`);
        break;
      case 'woke':
        if (nowNs >= this.#deadlineNs) this.#expired();
        break;
    }
  }

  // ── before the first round ──────────────────────────────────────────────────────────────────────

  #offer(): void {
    const { migrationId, guest, epoch, pages, streams, storeId } = this.#options;
    this.#enter('offering', this.#options.timers.acceptNs);
    this.#send({
      type: 'offer',
      version: PROTOCOL_VERSION,
      migrationId,
      guest,
      epoch,
      mode: this.#options.mode,
      pages,
      pageSize: PAGE_SIZE,
      streams,
      storeId,
      stateBytesMax: this.#options.stateBytesMax,
      codecs: this.#options.codecs,
    });
  }

  #accepted(m: Accept): void {
    const { major, minor } = m.version;
    if (major !== PROTOCOL_VERSION.major || minor > PROTOCOL_VERSION.minor) {
      const text = `the peer accepts with version ${major}.${minor}, which was not offered`;
      return this.#fail('VMOTION_VERSION', text);
    }
    const { mode } = this.#options;
    if (m.mode !== mode) {
      if (mode !== 'hybrid' || m.mode !== 'pre-copy')
        return this.#fail('VMOTION_MODE', `the peer accepts mode ${m.mode}, ${mode} was offered`);
      this.#note('VMOTION_MODE', 'the destination cannot catch missing pages: pre-copy in place of hybrid');
    }
    if (m.codec !== '' && !isOffered(m.codec, this.#options.codecs))
      return this.#fail('VMOTION_CODEC', `the peer accepts codec ${m.codec}, which was not offered`);
    this.#minor = minor;
    this.#codec = m.codec;
    this.#log.mode = m.mode;
    this.#peerStoreId = m.storeId;
    this.#enter('probing', this.#options.timers.pongNs);
    this.#ping();
  }

  #ping(): void {
    this.#deadlineNs = this.#nowNs + this.#options.timers.pongNs;
    this.#pingNs = this.#nowNs;
    this.#send({ type: 'ping', seq: this.#rttsNs.length });
  }

  #pong(seq: number): void {
    if (seq !== this.#rttsNs.length) return this.#unexpected('pong');
    this.#rttsNs.push(this.#nowNs - this.#pingNs);
    if (this.#rttsNs.length < this.#options.probes) return this.#ping();
    this.#log.rttsMeasured(this.#rttsNs);
    const { rttMinNs: minNs, rttMedianNs: medianNs } = this.#log;
    const text = `round trip ${formatNs(minNs)} at least, ${formatNs(medianNs)} in the median`;
    this.#do({ type: 'report', event: { type: 'rtt', atNs: this.#nowNs, minNs, medianNs, text } });
    // The harvest before the first round starts the dirty log: what is written from here on is sent again.
    this.#enter('tracking', this.#options.timers.localNs);
    this.#do({ type: 'harvest' });
  }

  // ── rounds ──────────────────────────────────────────────────────────────────────────────────────

  #beginRound(phase: 'round' | 'last-round' | 'final-flight', pages: PageSet): void {
    this.#round++;
    this.#sent = this.#doneAtPeer = false;
    this.#log.began(this.#nowNs, this.#round);
    if (phase === 'final-flight') this.#enter(phase, this.#options.timers.finalFlightNs);
    else this.#enter(phase, this.#precopyEndNs - this.#nowNs);
    if (phase === 'last-round')
      this.#send({ type: 'arm', round: this.#round, left: encodePageSet(this.#leftByArm()) });
    if (phase !== 'final-flight') {
      const count = pages.count();
      const text = `round ${this.#round}: ${count} pages`;
      this.#do({
        type: 'report',
        event: { type: 'round-begin', atNs: this.#nowNs, round: this.#round, pages: count, text },
      });
    }
    const final = phase === 'final-flight';
    this.#do({ type: 'send-pages', round: this.#round, pages, final, missing: final ? this.#missing : null });
  }

  /** What the destination has a stale version of: in post-copy it has nothing yet. */
  #leftByArm(): PageSet {
    return this.#log.mode === 'hybrid' ? this.#left : new PageSet(this.#options.pages);
  }

  #roundSent(e: Extract<SourceEvent, { type: 'round-sent' }>): void {
    const phase = this.#phase;
    if (e.round !== this.#round || this.#sent) return;
    if (phase !== 'round' && phase !== 'last-round' && phase !== 'final-flight') return;
    this.#sent = true;
    this.#sentPages = e.pages + e.zeroPages;
    if (phase === 'final-flight') {
      this.#setHash = e.setHash;
      this.#instants.pagesSentNs = this.#nowNs;
      this.#enter('committing', this.#options.timers.localNs);
      this.#commitPending = true;
      this.#do({ type: 'record', record: 'COMMIT' });
      return;
    }
    this.#log.sent(e.pages, e.zeroPages, e.bytes);
    this.#deadlineNs = this.#nowNs + this.#options.timers.roundDoneNs;
    this.#roundMayEnd();
  }

  #roundDone({ round, pages, missed }: RoundDone): void {
    if (round !== this.#round || !this.#sent || this.#doneAtPeer) return this.#unexpected('round-done');
    if (pages !== this.#sentPages) {
      return this.#fail(
        'VMOTION_ROUND_COUNT',
        `round ${round}: ${this.#sentPages} pages sent, ${pages} arrived`,
      );
    }
    if (missed.length > 0) {
      this.#missed = decodePageSet(this.#options.pages, missed);
      if (this.#missed === null)
        return this.#fail('VMOTION_MESSAGE_FIELD', 'ROUND_DONE: missed is not a set of pages');
    }
    this.#doneAtPeer = true;
    this.#log.done(this.#nowNs);
    if (this.#phase === 'last-round') this.#deadlineNs = this.#nowNs + this.#options.timers.readyNs;
    this.#roundMayEnd();
  }

  #roundMayEnd(): void {
    if (!this.#sent || !this.#doneAtPeer) return;
    if (this.#phase === 'round') {
      this.#enter('harvesting', this.#options.timers.localNs);
      this.#do({ type: 'harvest' });
    } else if (this.#ready) {
      this.#instants.pauseCalledNs = this.#nowNs;
      this.#enter('pausing', this.#options.timers.localNs);
      this.#do({ type: 'pause-guest' });
    }
  }

  #harvested(dirty: PageSet, dirtyPages: number): void {
    if (this.#phase === 'tracking') {
      this.#log.armed(this.#nowNs);
      this.#precopyEndNs = this.#nowNs + this.#options.timers.precopyNs;
      const all = PageSet.full(this.#options.pages);
      if (this.#log.mode !== 'post-copy') return this.#beginRound('round', all);
      this.#left = all;
      this.#beginRound('last-round', new PageSet(this.#options.pages));
    } else if (this.#phase === 'harvesting') {
      this.#heat.harvested(dirty);
      this.#decide(dirty, this.#joinMissed(dirty, dirtyPages));
    } else if (this.#phase === 'saving') {
      this.#instants.harvestedNs = this.#nowNs;
      this.#reportRound(this.#joinMissed(dirty, dirtyPages), null);
      this.#dirty = this.#chooseFlight(dirty);
      this.#finalFlightMayBegin();
    }
  }

  /** What the destination missed is sent as if it had been written again. @returns pages of both */
  #joinMissed(dirty: PageSet, dirtyPages: number): number {
    if (this.#missed === null) return dirtyPages;
    dirty.union(this.#missed);
    this.#missed = null;
    return dirty.count();
  }

  /** Parts what is dirty, or was left out, into the pages that travel in the pause and those that are missing then. */
  #chooseFlight(dirty: PageSet): PageSet {
    const { mode } = this.#log;
    if (mode === 'pre-copy') {
      this.#missing = new PageSet(dirty.pages);
      return dirty;
    }
    const wanted = mode === 'post-copy' ? dirty : this.#wanted;
    const missing = dirty.clone();
    missing.union(this.#left);
    const flight = takePages(missing, wanted, this.#flightPagesMax);
    this.#missing = missing;
    this.#hot = dirty;
    return flight;
  }

  #decide(dirty: PageSet, dirtyPages: number): void {
    const verdict = this.#reportRound(dirtyPages, this.#options.policy)!;
    if (verdict.action === 'give-up') return this.#giveUp('VMOTION_NO_CONVERGENCE', verdict.reason);
    if (this.#nowNs >= this.#precopyEndNs) return this.#precopyLimit();
    if (verdict.action === 'slow') {
      this.#log.slowdown = verdict.slowdown ?? 0;
      this.#do({ type: 'slow-guest', share: this.#log.slowdown });
    }
    // Three rounds are still to come after this one; the number of rounds is a field of 16 bits.
    const last =
      verdict.action === 'switch' || verdict.action === 'post-copy' || this.#round >= ROUND_MAX - 3;
    if (!last) return this.#beginRound('round', dirty);
    this.#flightPagesMax = verdict.flightPagesMax ?? Number.POSITIVE_INFINITY;
    if (this.#log.mode === 'hybrid') {
      this.#wanted = this.#heat.hot(dirty.pages);
      // A round that does not pay is not made: what it would carry would be dropped again, in the pause.
      this.#left = verdict.action === 'post-copy' ? dirty : this.#wanted;
    }
    const pages = dirty.clone();
    pages.subtract(this.#left);
    this.#beginRound('last-round', pages);
  }

  #reportRound(dirtyPages: number, policy: ConvergencePolicy | null): ConvergenceVerdict | null {
    const stats = this.#log.harvested(this.#nowNs, dirtyPages);
    const verdict = policy?.decide(this.#log.history) ?? null;
    const told = verdict
      ? { ...stats, predictedPauseNs: verdict.predictedPauseNs, etaNs: verdict.etaNs }
      : stats;
    const text = verdict
      ? `round ${stats.round}: ${dirtyPages} pages dirty; ${verdict.action}: ${verdict.outlook ?? verdict.reason}`
      : `round ${stats.round}: ${dirtyPages} pages dirty at the pause`;
    this.#do({ type: 'report', event: { type: 'round', atNs: this.#nowNs, stats: told, verdict, text } });
    return verdict;
  }

  // ── the pause ───────────────────────────────────────────────────────────────────────────────────

  #guestPaused(): void {
    this.#instants.guestPausedNs = this.#nowNs;
    this.#enter('saving', this.#options.timers.localNs);
    this.#do({ type: 'harvest' });
    this.#do({ type: 'save-state' });
    this.#do({ type: 'forward-late-frames' });
  }

  #stateSaved(bytes: Uint8Array, hash: Hash64): void {
    if (bytes.length > this.#options.stateBytesMax) {
      return this.#giveUp(
        'VMOTION_STATE_SIZE',
        `${bytes.length} bytes of state; ${this.#options.stateBytesMax} are allowed`,
      );
    }
    this.#instants.stateSavedNs = this.#nowNs;
    this.#state = { bytes, hash };
    this.#finalFlightMayBegin();
  }

  #finalFlightMayBegin(): void {
    if (this.#dirty !== null && this.#state !== null) this.#beginRound('final-flight', this.#dirty);
  }

  #commitRecorded(): void {
    this.#commitPending = false;
    if (this.#phase === 'withdrawing') return this.#recordEnd('returning');
    if (this.#phase !== 'committing') return;
    this.#instants.commitRecordedNs = this.#instants.finalSentNs = this.#nowNs;
    this.#enter('committed', this.#options.timers.startedNs);
    const missing = this.#missing!;
    this.#send({
      type: 'final',
      migrationId: this.#options.migrationId,
      epoch: this.#options.epoch,
      round: this.#round,
      pages: this.#sentPages,
      state: this.#state!.bytes,
      stateHash: this.#state!.hash,
      setHash: this.#setHash,
      missing: encodePageSet(missing),
    });
    this.#state = null;
    if (missing.next(0) >= 0) this.#serve(missing, this.#hot);
    else this.#missing = null;
    // Frames held so far follow FINAL: before it they would only have delayed it.
    for (const frame of this.#frames.frames) this.#forward(frame);
  }

  #lateFrame(bytes: Uint8Array): void {
    if (bytes.length < ETHERNET_HEADER_BYTES || bytes.length > FRAME_BYTES_MAX) {
      return this.#note('VMOTION_LIMIT', `a late frame of ${bytes.length} bytes is dropped`);
    }
    switch (this.#phase) {
      case 'pausing':
      case 'saving':
      case 'final-flight':
      case 'committing':
        this.#frames.push(bytes);
        break;
      case 'committed':
      case 'in-doubt': {
        const copy = this.#frames.push(bytes);
        if (copy !== null) this.#forward(copy);
        break;
      }
      case 'serving':
      case 'ending':
      case 'proving':
        this.#forward(new Uint8Array(bytes));
        break;
      default: // the guest runs here, or the frame came too late to matter
        break;
    }
  }

  /** Group frames reach the destination by the bridge anyway; here they are kept for a NACK only. */
  #forward(frame: Uint8Array): void {
    if ((frame[0]! & 1) === 0) this.#send({ type: 'frame', bytes: frame });
  }

  // ── messages ────────────────────────────────────────────────────────────────────────────────────

  #received(m: Message): void {
    const phase = this.#phase;
    switch (m.type) {
      case 'accept':
        if (phase !== 'offering') return this.#unexpected(m.type);
        return this.#accepted(m);
      case 'refuse':
        if (phase !== 'offering') return this.#unexpected(m.type);
        return this.#finish('refused', m.code, m.text);
      case 'pong':
        if (phase !== 'probing') return this.#unexpected(m.type);
        return this.#pong(m.seq);
      case 'round-done':
        if (phase !== 'round' && phase !== 'last-round') return this.#unexpected(m.type);
        return this.#roundDone(m);
      case 'ready':
        if (phase !== 'last-round' || this.#ready) return this.#unexpected(m.type);
        this.#ready = true;
        return this.#roundMayEnd();
      case 'started':
        if (phase !== 'committed' && phase !== 'in-doubt') return this.#unexpected(m.type);
        return this.#started(m);
      case 'complete':
        if (phase !== 'serving' || m.migrationId !== this.#options.migrationId)
          return this.#unexpected(m.type);
        return this.#guestIsAway();
      case 'lacks':
        if (phase !== 'serving' || m.migrationId !== this.#options.migrationId)
          return this.#unexpected(m.type);
        return this.#lacksCame(m);
      case 'nack':
        if (m.migrationId !== this.#options.migrationId) return this.#unexpected(m.type);
        return this.#nacked(m.code, m.text);
      case 'hashes':
        if (phase !== 'ending' && phase !== 'proving') return this.#unexpected(m.type);
        return this.#hashesCame(m);
      case 'answer':
        return this.#answered(m);
      case 'abort': // a destination withdraws by NACK; after COMMIT only that counts
        if (this.#beforeCommit()) return this.#giveUp(m.code, m.text, false);
        return this.#note(m.code, `the peer aborts after COMMIT: ${m.text}`);
      case 'reject':
        return this.#note(m.code, m.text);
      default:
        return this.#unexpected(m.type);
    }
  }

  #started(m: Started): void {
    const { migrationId, epoch } = this.#options;
    if (m.migrationId !== migrationId || m.epoch !== epoch) return this.#unexpected('started');
    const parts = pausePartsOf(this.#instants, m.times);
    const pauseNs = m.times.startedNs - this.#instants.pauseCalledNs;
    this.#do({
      type: 'report',
      event: { type: 'pause', atNs: this.#nowNs, parts, text: `the guest stood for ${formatNs(pauseNs)}` },
    });
    this.#startedThere();
  }

  /** It runs at the destination: nothing kept for its return is needed any more. */
  #startedThere(): void {
    this.#reportFrames();
    this.#frames.takeAll();
    if (this.#missing === null) return this.#guestIsAway();
    this.#enter('serving', this.#options.timers.servingAlarmNs);
  }

  /** All of it is at the destination. */
  #guestIsAway(): void {
    this.#missing = null;
    this.#recordEnd('ending');
    this.#do({ type: 'release-guest' });
  }

  // ── post-copy ───────────────────────────────────────────────────────────────────────────────────

  #serve(pages: PageSet, hot: PageSet | null): void {
    this.#round++;
    const pushFromNs = this.#nowNs + this.#log.rttMinNs;
    this.#do({ type: 'serve-pages', round: this.#round, pushFromNs, pages: pages.clone(), hot });
  }

  #reconnected(): void {
    if (this.#phase !== 'in-doubt' && this.#phase !== 'serving') return;
    this.#connected = true;
    if (this.#phase === 'serving') this.#resume();
    else this.#send({ type: 'ask', migrationId: this.#options.migrationId, storeId: this.#peerStoreId });
  }

  #resume(): void {
    this.#deadlineNs = this.#nowNs + this.#options.timers.servingAlarmNs;
    const { migrationId, epoch } = this.#options;
    this.#send({ type: 'resume', migrationId, epoch });
  }

  /** Only what the destination was told that it lacks can be lacking. */
  #lacksCame(m: Lacks): void {
    const lacks = decodePageSet(this.#options.pages, m.missing);
    const beyond = lacks?.clone();
    beyond?.subtract(this.#missing!);
    if (lacks === null || beyond!.next(0) >= 0)
      return this.#note('VMOTION_MESSAGE_FIELD', 'LACKS names pages that were not missing');
    this.#serve(lacks, null);
  }

  #freedByWord(text: string): void {
    this.#ending = { code: 'VMOTION_RESOLVED', text };
    this.#guestIsAway();
  }

  #hashesCame(m: Hashes): void {
    if (m.firstPfn !== this.#hashedPages) {
      return this.#note(
        'VMOTION_PROOF_INCOMPLETE',
        `hashes of pfn ${m.firstPfn} came, ${this.#hashedPages} was due`,
      );
    }
    this.#hashedPages += m.hashes.length / HASH_BYTES;
    this.#proofMayEnd();
  }

  #proofMayEnd(): void {
    if (this.#phase !== 'proving') return;
    if (this.#hashedPages >= this.#options.pages) this.#complete();
    else if (!this.#connected) this.#withoutProof();
  }

  #complete(): void {
    this.#send({ type: 'ended', migrationId: this.#options.migrationId });
    this.#finish('completed', this.#ending.code, this.#ending.text);
  }

  #withoutProof(): void {
    if (this.#ending.code === 'VMOTION_OK') {
      const text = `${this.#hashedPages} of ${this.#options.pages} page hashes came back`;
      this.#ending = { code: 'VMOTION_PROOF_INCOMPLETE', text };
    }
    this.#complete();
  }

  // ── ways back ───────────────────────────────────────────────────────────────────────────────────

  #nacked(code: string, text: string): void {
    if (this.#beforeCommit()) return this.#giveUp(code, text, false);
    if (this.#phase === 'committed' || this.#phase === 'in-doubt') return this.#returnGuest(code, text);
    // Behind STARTED a NACK contradicts itself; while the guest returns it only says it again.
    if (this.#phase !== 'returning' && this.#phase !== 'withdrawing') this.#unexpected('nack');
  }

  /** The destination will never start it: the guest is ours again. */
  #returnGuest(code: string, text: string): void {
    this.#ending = { code, text };
    this.#resumeGuest();
    this.#recordEnd('returning');
  }

  #freeGuest(): void {
    if (this.#log.slowdown === 0) return;
    this.#log.slowdown = 0;
    this.#do({ type: 'slow-guest', share: 0 });
  }

  #resumeGuest(): void {
    this.#freeGuest();
    this.#reportFrames();
    this.#do({ type: 'resume-guest' });
    const frames = this.#frames.takeAll();
    if (frames.length > 0) this.#do({ type: 'deliver-late-frames', frames });
  }

  #recordEnd(phase: 'ending' | 'returning'): void {
    this.#enter(phase, NEVER_NS);
    this.#do({ type: 'record', record: 'ENDED' });
  }

  #endRecorded(): void {
    if (this.#phase === 'returning') {
      this.#send({ type: 'ended', migrationId: this.#options.migrationId });
      this.#finish('aborted', this.#ending.code, this.#ending.text);
    } else if (this.#phase === 'ending') {
      this.#enter('proving', this.#options.timers.proofNs);
      // Settled by a word instead of STARTED: then no hashes follow.
      if (this.#ending.code === 'VMOTION_RESOLVED') this.#complete();
      else this.#proofMayEnd();
    }
  }

  #recordFailed(record: 'COMMIT' | 'ENDED', text: string): void {
    if (record === 'ENDED') {
      // The outcome stands; a restarted host asks its peer once more, that is all.
      this.#note('VMOTION_RECORD_FAILED', `ENDED was not recorded: ${text}`);
      this.#endRecorded();
      return;
    }
    this.#commitPending = false;
    if (this.#phase === 'committing') {
      this.#giveUp('VMOTION_RECORD_FAILED', `COMMIT was not recorded: ${text}`);
    } else if (this.#phase === 'withdrawing') {
      this.#finish('aborted', this.#ending.code, this.#ending.text);
    }
  }

  #beforeCommit(): boolean {
    switch (this.#phase) {
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

  /** Back to the source; only before COMMIT. */
  #giveUp(code: string, text: string, tellPeer = true): void {
    const phase = this.#phase;
    if (tellPeer && phase !== 'idle') this.#send({ type: 'abort', code, text });
    if (phase === 'pausing' || phase === 'saving' || phase === 'final-flight' || phase === 'committing') {
      this.#resumeGuest();
    }
    if (this.#commitPending) {
      this.#ending = { code, text };
      this.#enter('withdrawing', NEVER_NS);
    } else {
      this.#finish('aborted', code, text);
    }
  }

  /** Something went wrong that ends the migration, each phase in its way. */
  #fail(code: VmotionErrorCode | (string & {}), text: string): void {
    if (this.#beforeCommit()) return this.#giveUp(code, text);
    switch (this.#phase) {
      case 'committed':
        return this.#doubt(code, text);
      case 'proving':
        this.#note(code, text);
        return this.#withoutProof();
      default: // ending, withdrawing, returning wait for a record; a doubt stays one; serving waits for a new link
        this.#note(code, text);
    }
  }

  #doubt(code: string, text: string): void {
    this.#enter('in-doubt', NEVER_NS);
    this.#do({ type: 'finished', outcome: 'in-doubt', code, text });
  }

  #answered(m: Answer): void {
    if (this.#phase !== 'in-doubt' || m.migrationId !== this.#options.migrationId)
      return this.#unexpected('answer');
    if (m.verdict === 'running' || m.verdict === 'never')
      this.#settle(m.verdict, 'the destination has answered');
    else this.#note('VMOTION_RESOLVED', `the destination answers ${m.verdict}: still in doubt`);
  }

  #settle(verdict: 'running' | 'never', text: string): void {
    if (verdict === 'never') return this.#returnGuest('VMOTION_RESOLVED', text);
    if (this.#missing === null) return this.#freedByWord(text);
    this.#startedThere();
    this.#resume();
  }

  #violation(code: string, text: string): void {
    // A message of a later minor version: say so and go on (version rule, messages.ts).
    if (code === 'VMOTION_MESSAGE_UNKNOWN') this.#send({ type: 'reject', code, text });
    else this.#fail(code, text);
  }

  #unexpected(type: MessageType): void {
    const text = `${type} came in phase ${this.#phase}`;
    if (this.#beforeCommit()) this.#giveUp('VMOTION_MESSAGE_UNEXPECTED', text);
    else this.#note('VMOTION_MESSAGE_UNEXPECTED', text);
  }

  #expired(): void {
    switch (this.#phase) {
      case 'offering':
        return this.#fail('VMOTION_ACCEPT_TIMEOUT', 'the destination did not answer the offer');
      case 'probing':
        return this.#fail('VMOTION_PROBE_TIMEOUT', 'the destination did not answer a PING');
      case 'round':
      case 'last-round':
        if (!this.#sent) return this.#precopyLimit();
        if (!this.#doneAtPeer)
          return this.#fail('VMOTION_ROUND_STALLED', `round ${this.#round} did not arrive`);
        return this.#fail('VMOTION_READY_TIMEOUT', 'the destination did not get ready');
      case 'final-flight':
        return this.#fail('VMOTION_FINAL_STALLED', 'the final flight did not leave');
      case 'committed':
        return this.#fail('VMOTION_STARTED_TIMEOUT', 'the destination did not answer FINAL');
      case 'serving':
        return this.#alarm();
      case 'proving':
        return this.#withoutProof();
      default:
        return this.#fail('VMOTION_LOCAL_TIMEOUT', `a local step took too long in phase ${this.#phase}`);
    }
  }

  /** The guest's threads may be standing at pages that do not come. */
  #alarm(): void {
    this.#deadlineNs = this.#nowNs + this.#options.timers.servingAlarmNs;
    const link = this.#connected ? 'the link stands' : 'the link is broken';
    this.#note('VMOTION_POSTCOPY_STALLED', `pages are still being served, ${link}: the guest may be stalled`);
  }

  #precopyLimit(): void {
    const text = `${formatNs(this.#options.timers.precopyNs)} of pre-copy are over after ${this.#round} rounds`;
    this.#giveUp('VMOTION_PRECOPY_LIMIT', text);
  }

  // ── small parts ─────────────────────────────────────────────────────────────────────────────────

  #enter(phase: SourcePhase, limitNs: number): void {
    const from = this.#phase;
    this.#phase = phase;
    this.#deadlineNs = this.#nowNs + limitNs;
    const text = `${from} → ${phase}`;
    this.#do({ type: 'report', event: { type: 'phase', atNs: this.#nowNs, from, to: phase, text } });
  }

  #finish(outcome: SourceOutcome, code: string, text: string): void {
    this.#freeGuest();
    this.#enter('over', NEVER_NS);
    this.#dirty = this.#state = null;
    this.#do({ type: 'finished', outcome, code, text });
  }

  #reportFrames(): void {
    const { counts } = this.#frames;
    if (counts.in === 0) return;
    const text = `${counts.in} late frames, ${counts.dropped} dropped`;
    this.#do({
      type: 'report',
      event: { type: 'late-frames', atNs: this.#nowNs, counts, duplicates: 0, text },
    });
  }

  #note(code: string, text: string): void {
    this.#do({ type: 'report', event: { type: 'note', atNs: this.#nowNs, code, text } });
  }

  #send(message: Message): void {
    if (this.#connected) this.#do({ type: 'send', message });
  }

  #do(action: SourceAction): void {
    this.#out.push(action);
  }
}
