/**
 * The destination of a migration. Sans-IO: events in, actions out. It decides RUNNING or NEVER once per
 * migration, and puts the decision on record before it acts on it. Rules 1–7 of docs/design.md, "Protocol".
 *
 *   idle ─OFFER─► preparing ─prepared─► receiving ──┐ rounds, ROUND_DONE; ARM, armed, READY
 *     │ REFUSE        │ REFUSE               ▲──────┘
 *     ▼               ▼                      │ FINAL and the final flight, in either order
 *    over            over                    ▼
 *                                        verifying ─ok─► loading ─state-loaded─► deciding
 *          ABORT, lost, violation,           │              │                       │ RUNNING recorded
 *          timeout before FINAL is whole     │ differs      │ refused               ▼
 *               │                            ▼              ▼                    starting ─guest-started─► announce,
 *               └─────────────────────► renouncing ◄── RUNNING not recorded ──┘                        STARTED
 *                                            │ NEVER recorded: NACK, discard                       missing? │
 *                                            ▼                                                      ┌──yes──┴─no─┐
 *                                          over ◄───────── ENDED, lost, timeout ── running ◄── filling           │
 *                                                                                  HASHES  all-present:          │
 *                                                                                    ▲     COMPLETE              │
 *                                                                                    └───────────────────────────┘
 *
 * In `filling` the guest runs and waits for pages that it touches. Nothing ends that but the last page: a lost
 * connection raises an alarm, and over a new one RESUME is answered with LACKS.
 * Once FINAL and its pages are whole, the connection is of no account: the source has committed, so the
 * guest is started here or on record as never to be. A FINAL that comes after NEVER is answered by NACK again.
 * Left out: authentication (the transport's). Long for the reason that `source.ts` gives.
 */
import { type Machine, NS_PER_MS, type PageSet } from '../core/index.js';
import {
  DESTINATION_TIMERS,
  type DestinationAction,
  type DestinationEvent,
  type DestinationOptions,
  type DestinationOutcome,
  type DestinationPhase,
  type DestinationTimers,
} from './destination-contract.js';
import { requireRange, type VmotionErrorCode } from './errors.js';
import { DuplicateFilter, type FramePath, LateFrameBuffer } from './late-frames.js';
import {
  type Arm,
  type Ask,
  type Final,
  type Message,
  type MessageType,
  MIGRATION_MODES,
  type MigrationMode,
  type Offer,
  PAGES_MAX,
  PROTOCOL_VERSION,
  type Resume,
  STATE_BYTES_MAX,
  STREAMS_MAX,
} from './messages.js';
import { decodePageSet, encodePageSet } from './page-set-codec.js';
import { agreeOnCodec } from './pipeline/codec.js';
import { answerAsk } from './resolve.js';

const NEVER_NS = Number.POSITIVE_INFINITY;
const NO_BYTES = new Uint8Array(0);

interface Reason {
  readonly code: VmotionErrorCode | (string & {});
  readonly text: string;
}

export class Destination implements Machine<DestinationEvent, DestinationAction> {
  readonly #options: DestinationOptions;
  readonly #timers: DestinationTimers;
  readonly #streamsMax: number;
  readonly #stateBytesMax: number;
  readonly #frames: LateFrameBuffer;
  readonly #filter: DuplicateFilter;

  #phase: DestinationPhase = 'idle';
  #connected = true;
  #deadlineNs = NEVER_NS;
  #nicDirectNs = NEVER_NS;
  /** Of the step in hand. */
  #nowNs = 0;
  #out: DestinationAction[] = [];

  #offer: Offer | null = null;
  #round = 0;
  /** The last round before the pause, from ARM; 0 before it. */
  #armRound = 0;
  #ready = false;
  #mode: MigrationMode = 'pre-copy';
  #codec = '';
  /** The minor version that both sides speak. */
  #minor = PROTOCOL_VERSION.minor;
  #final: Final | null = null;
  #missing: PageSet | null = null;
  /** Pages are missing that FINAL named; decided when FINAL comes, over with `all-present`. */
  #incomplete = false;
  #postCopied = false;
  /** Pages of the final flight, once it is applied; -1 before. */
  #flightPages = -1;
  #decision: 'RUNNING' | 'NEVER' | null = null;
  #reason: Reason = { code: 'VMOTION_OK', text: '' };
  #sourceAborted = false;
  #finished = false;
  #started = false;
  #times = { finalReceivedNs: 0, appliedNs: 0, verifiedNs: 0, recordedNs: 0, startedNs: 0 };

  /** @throws ConfigError VMOTION_CONFIG_RANGE */
  constructor(options: DestinationOptions) {
    requireRange('pages', options.pages, 1, PAGES_MAX);
    this.#streamsMax = requireRange('streamsMax', options.streamsMax ?? STREAMS_MAX, 1, STREAMS_MAX);
    this.#stateBytesMax = requireRange(
      'stateBytesMax',
      options.stateBytesMax ?? STATE_BYTES_MAX,
      0,
      STATE_BYTES_MAX,
    );
    this.#timers = { ...DESTINATION_TIMERS, ...options.timers };
    for (const [name, ns] of Object.entries(this.#timers)) {
      requireRange(`timers.${name}`, ns, NS_PER_MS, NEVER_NS, false);
    }
    this.#options = options;
    this.#frames = new LateFrameBuffer(options.lateFramesMax, options.lateFrameBytesMax);
    this.#filter = new DuplicateFilter(this.#timers.duplicateWindowNs);
  }

  get phase(): DestinationPhase {
    return this.#phase;
  }

  nextWakeNs(): number {
    return Math.min(this.#deadlineNs, this.#nicDirectNs);
  }

  step(nowNs: number, event: DestinationEvent, out: DestinationAction[]): void {
    this.#nowNs = nowNs;
    this.#out = out;
    const phase = this.#phase;
    switch (event.type) {
      case 'received':
        this.#received(event.message);
        break;
      case 'prepared':
        if (phase === 'preparing') this.#accept();
        break;
      case 'prepare-failed':
        if (phase === 'preparing') this.#refuse(event);
        break;
      case 'round-applied':
        if (phase === 'receiving') this.#roundApplied(event.round, event.pages, event.missed);
        break;
      case 'armed':
        if (phase === 'receiving' && this.#armRound > 0 && !this.#ready) {
          this.#ready = true;
          this.#deadlineNs = nowNs + this.#timers.finalNs;
          this.#send({ type: 'ready' });
        }
        break;
      case 'verified':
        if (phase === 'verifying') this.#verified(event.ok, event.text);
        break;
      case 'state-loaded':
        if (phase === 'loading') this.#decideRunning();
        break;
      case 'state-refused':
        if (phase === 'loading') this.#renounce({ code: 'VMOTION_STATE_REFUSED', text: event.text });
        break;
      case 'recorded':
        if (event.record === 'RUNNING') this.#runningRecorded();
        else this.#neverRecorded();
        break;
      case 'record-failed':
        this.#recordFailed(event.record, event.text);
        break;
      case 'guest-started':
        if (phase === 'starting') this.#guestStarted(event.atNs);
        break;
      case 'all-present':
        this.#allPresent();
        break;
      case 'reconnected':
        if (this.#started) this.#connected = true;
        break;
      case 'missing-told':
        this.#missingTold(event.missing);
        break;
      case 'nic-frame':
        this.#frame('flooded', event.bytes);
        break;
      case 'connection-lost':
        if (this.#connected) this.#connectionLost(event.text);
        break;
      case 'violation':
        this.#violation(event);
        break;
      case 'cancel':
        this.#cancel(event.text);
        break;
      case 'woke':
        if (nowNs >= this.#nicDirectNs) this.#nicDirect();
        if (nowNs >= this.#deadlineNs) this.#expired();
        break;
    }
  }

  // ── offer ───────────────────────────────────────────────────────────────────────────────────────

  #offered(offer: Offer): void {
    const why = this.#objection(offer);
    if (why !== null) return this.#refuse(why);
    this.#offer = offer;
    this.#mode = this.#modeOf(offer)!;
    this.#minor = Math.min(PROTOCOL_VERSION.minor, offer.version.minor);
    this.#codec = agreeOnCodec(offer.codecs, this.#options.codecs ?? []);
    this.#enter('preparing', this.#timers.prepareNs);
    const { migrationId, guest, epoch, pages, streams } = offer;
    const agreed = { mode: this.#mode, minor: this.#minor, codec: this.#codec };
    this.#do({ type: 'prepare', migrationId, guest, epoch, pages, streams, ...agreed });
  }

  /** The mode that an offer gets here, or null. */
  #modeOf(o: Offer): MigrationMode | null {
    const offered = MIGRATION_MODES.find((mode) => mode === o.mode) ?? null;
    if (this.#options.catchesFaults ?? true) return offered;
    return offered === 'post-copy' ? null : offered && 'pre-copy';
  }

  /** Why this offer cannot be accepted, or null. */
  #objection(o: Offer): Reason | null {
    const { guest, pages, epochOf, decisionOf } = this.#options;
    const { major, minor } = PROTOCOL_VERSION;
    if (o.version.major !== major) {
      const text = `version ${o.version.major}.${o.version.minor} is offered, ${major}.${minor} is spoken here`;
      return { code: 'VMOTION_VERSION', text };
    }
    if (this.#modeOf(o) === null) {
      const why = o.mode === 'post-copy' ? 'needs userfaultfd, which this host lacks' : 'is not known';
      return { code: 'VMOTION_MODE', text: `mode ${o.mode} ${why}` };
    }
    if (o.guest !== guest)
      return { code: 'VMOTION_LIMIT', text: `there is no place for a guest ${o.guest} here` };
    if (o.pages !== pages) {
      return { code: 'VMOTION_LIMIT', text: `the place has ${pages} pages, the guest ${o.pages}` };
    }
    if (o.streams > this.#streamsMax) {
      return { code: 'VMOTION_LIMIT', text: `${o.streams} streams; at most ${this.#streamsMax} are taken` };
    }
    if (o.stateBytesMax > this.#stateBytesMax) {
      const text = `up to ${o.stateBytesMax} bytes of state; at most ${this.#stateBytesMax} are taken`;
      return { code: 'VMOTION_LIMIT', text };
    }
    if ((decisionOf?.(o.migrationId) ?? null) !== null) {
      return { code: 'VMOTION_MIGRATION_KNOWN', text: 'this migration was decided here before' };
    }
    const known = epochOf?.(o.guest) ?? null;
    if (known !== null && o.epoch <= known) {
      return {
        code: 'VMOTION_EPOCH_STALE',
        text: `epoch ${o.epoch} is not above ${known}, which is on record`,
      };
    }
    return null;
  }

  #refuse({ code, text }: Reason): void {
    this.#send({ type: 'refuse', code, text });
    if (this.#phase === 'preparing') this.#do({ type: 'discard' });
    this.#finish('refused', code, text);
  }

  #accept(): void {
    this.#enter('receiving', this.#timers.precopyNs);
    const { major } = PROTOCOL_VERSION;
    this.#send({
      type: 'accept',
      version: { major, minor: this.#minor },
      storeId: this.#options.storeId,
      mode: this.#mode,
      codec: this.#codec,
    });
  }

  // ── rounds, and the switchover ──────────────────────────────────────────────────────────────────

  #roundApplied(round: number, pages: number, missed?: PageSet): void {
    if (round !== this.#round + 1) {
      return this.#renounce({ code: 'VMOTION_PAGE_ROUND', text: `round ${round} came after ${this.#round}` });
    }
    this.#round = round;
    // Behind the armed round only the final flight follows, and STARTED is the answer to that.
    if (this.#armRound > 0 && round > this.#armRound) {
      this.#flightPages = pages;
      this.#mayVerify();
    } else {
      const missedBytes = missed === undefined ? NO_BYTES : encodePageSet(missed);
      this.#send({ type: 'round-done', round, pages, missed: missedBytes });
    }
  }

  #armOrdered({ round, left: bytes }: Arm): void {
    // The round's END travels on other links: a round of few pages may be applied before its ARM is here.
    if (this.#armRound > 0 || round < this.#round) return this.#unexpected('arm');
    const left = decodePageSet(this.#options.pages, bytes);
    if (left === null || (this.#mode === 'pre-copy' && left.next(0) >= 0))
      return this.#violation({
        code: 'VMOTION_MESSAGE_FIELD',
        text: 'ARM: left is not a set of pages to drop',
      });
    this.#armRound = round;
    this.#do({ type: 'arm', round, left });
  }

  #finalCame(m: Final): void {
    if (this.#decision === 'NEVER') return this.#nack();
    if (this.#phase === 'renouncing') return; // its NACK leaves when NEVER is on record
    if (this.#phase !== 'receiving' || this.#final !== null) return this.#unexpected('final');
    this.#final = m;
    this.#times.finalReceivedNs = this.#nowNs;
    const { migrationId, epoch, stateBytesMax } = this.#offer!;
    const fits = m.migrationId === migrationId && m.epoch === epoch && m.state.length <= stateBytesMax;
    if (!fits || !this.#ready || m.round !== this.#armRound + 1) {
      const text = 'FINAL is of another migration, epoch or round than was offered and armed';
      return this.#renounce({ code: 'VMOTION_FINAL_MISMATCH', text });
    }
    this.#missing = decodePageSet(this.#options.pages, m.missing);
    this.#incomplete = this.#postCopied = this.#missing !== null && this.#missing.next(0) >= 0;
    if (this.#missing === null || (this.#incomplete && this.#mode === 'pre-copy')) {
      const text = 'FINAL: missing is not a set of pages that may be missing in this mode';
      return this.#renounce({ code: 'VMOTION_FINAL_MISMATCH', text });
    }
    this.#mayVerify();
  }

  #mayVerify(): void {
    const final = this.#final;
    if (final === null || this.#flightPages < 0) return;
    if (this.#flightPages !== final.pages) {
      const text = `the final flight has ${final.pages} pages, ${this.#flightPages} arrived`;
      return this.#renounce({ code: 'VMOTION_FINAL_MISMATCH', text });
    }
    this.#times.appliedNs = this.#nowNs;
    this.#enter('verifying', this.#timers.localNs);
    const { setHash, stateHash, state } = final;
    this.#do({ type: 'verify', setHash, stateHash, state, missing: this.#missing! });
    this.#missing = null;
  }

  #verified(ok: boolean, text: string): void {
    if (!ok) return this.#renounce({ code: 'VMOTION_VERIFY_FAILED', text });
    this.#enter('loading', this.#timers.localNs);
    this.#do({ type: 'load-state', state: this.#final!.state });
  }

  #decideRunning(): void {
    this.#times.verifiedNs = this.#nowNs;
    this.#enter('deciding', NEVER_NS);
    this.#do({ type: 'record', record: 'RUNNING' });
  }

  #runningRecorded(): void {
    if (this.#phase !== 'deciding') return;
    this.#decision = 'RUNNING';
    this.#times.recordedNs = this.#nowNs;
    this.#enter('starting', NEVER_NS);
    this.#do({ type: 'start-guest' });
  }

  #guestStarted(atNs: number): void {
    this.#started = true;
    this.#times.startedNs = atNs;
    const { migrationId, epoch } = this.#offer!;
    this.#enter('filling', this.#timers.fillingAlarmNs);
    this.#nicDirectNs = this.#nowNs + this.#timers.duplicateWindowNs;
    this.#do({ type: 'announce' });
    for (const bytes of this.#frames.takeAll()) this.#do({ type: 'inject-frame', bytes });
    this.#send({ type: 'started', migrationId, epoch, times: this.#times });
    this.#final = null;
    if (!this.#incomplete) this.#whole();
  }

  // ── post-copy ───────────────────────────────────────────────────────────────────────────────────

  #allPresent(): void {
    if (!this.#incomplete) return;
    this.#incomplete = false;
    if (this.#phase !== 'filling') return; // the last page was faster than the guest's start
    this.#whole();
  }

  /** The guest runs and lacks nothing. */
  #whole(): void {
    this.#enter('running', this.#timers.endedNs);
    if (this.#postCopied) this.#sayComplete();
    this.#do({ type: 'send-hashes' });
    // In post-copy the source keeps its memory until it is told: it will come back to ask.
    if (!this.#connected && !this.#postCopied) this.#sourceNotTold();
  }

  #sourceNotTold(): void {
    this.#finish('running', 'VMOTION_CONNECTION_LOST', 'the source was not told');
  }

  #sayComplete(): void {
    const { migrationId, epoch } = this.#offer!;
    this.#send({ type: 'complete', migrationId, epoch });
  }

  #resumed(m: Resume): void {
    const { migrationId, epoch } = this.#offer!;
    if (m.migrationId !== migrationId || m.epoch !== epoch) return this.#unexpected('resume');
    if (this.#incomplete) return this.#do({ type: 'tell-missing' });
    this.#sayComplete();
    if (this.#phase === 'running') this.#do({ type: 'send-hashes' });
  }

  #missingTold(missing: PageSet): void {
    const { migrationId } = this.#offer!;
    this.#send({ type: 'lacks', migrationId, missing: encodePageSet(missing) });
  }

  /** Buffers until the guest runs, drops copies that came both ways, then hands on. */
  #frame(path: FramePath, bytes: Uint8Array): void {
    if (this.#decision === 'NEVER' || this.#phase === 'renouncing') return;
    const isGroup = (bytes[0]! & 1) !== 0;
    // A unicast frame at this port is a flooded one, so the source's port has it too. Before FINAL it is not needed
    // here: the guest there has taken it, or stands already, and then it is forwarded.
    if (path === 'flooded' && !isGroup && this.#final === null && !this.#started) return;
    if (!isGroup && !this.#filter.accept(this.#nowNs, path, bytes)) return;
    if (this.#started) this.#do({ type: 'inject-frame', bytes: new Uint8Array(bytes) });
    else if (this.#ready) this.#frames.push(bytes);
  }

  #nicDirect(): void {
    this.#nicDirectNs = NEVER_NS;
    const { counts } = this.#frames;
    const { duplicates } = this.#filter;
    const text = `${counts.in} frames kept for the guest, ${counts.dropped} dropped, ${duplicates} came twice`;
    this.#do({ type: 'report', event: { type: 'late-frames', atNs: this.#nowNs, counts, duplicates, text } });
    this.#do({ type: 'nic-direct' });
  }

  // ── messages ────────────────────────────────────────────────────────────────────────────────────

  #received(m: Message): void {
    switch (m.type) {
      case 'offer':
        return this.#phase === 'idle' ? this.#offered(m) : this.#unexpected(m.type);
      case 'ping':
        return this.#send({ type: 'pong', seq: m.seq });
      case 'arm':
        return this.#phase === 'receiving' ? this.#armOrdered(m) : this.#unexpected(m.type);
      case 'final':
        return this.#finalCame(m);
      case 'resume':
        return this.#started ? this.#resumed(m) : this.#unexpected(m.type);
      case 'frame':
        return this.#frame('forwarded', m.bytes);
      case 'ended':
        return this.#ended(m.migrationId);
      case 'abort':
        return this.#aborted(m);
      case 'ask':
        return this.#asked(m);
      case 'reject':
        return this.#note(m.code, m.text);
      default:
        return this.#unexpected(m.type);
    }
  }

  #ended(migrationId: string): void {
    if (migrationId !== this.#offer?.migrationId || this.#decision === null) return this.#unexpected('ended');
    this.#do({ type: 'forget-records' });
    if (this.#phase === 'running') this.#finish('running', 'VMOTION_OK', '');
  }

  /** The source keeps the guest. Sent before COMMIT only; should it come later, NEVER is still safe while undecided. */
  #aborted({ code, text }: Reason): void {
    if (this.#phase === 'idle' || this.#phase === 'preparing') return this.#leave(code, text);
    if (this.#undecided()) {
      this.#sourceAborted = true;
      this.#renounce({ code, text });
    } else this.#note(code, `the source aborts too late: ${text}`);
  }

  #asked(m: Ask): void {
    const { storeId } = this.#options;
    const verdict = answerAsk(m, { storeId, decision: this.#decision, live: true });
    if (verdict !== 'record-never') this.#send({ type: 'answer', migrationId: m.migrationId, verdict });
  }

  // ── ways out ────────────────────────────────────────────────────────────────────────────────────

  /** Whether NEVER may still be decided. */
  #undecided(): boolean {
    return this.#phase === 'receiving' || this.#phase === 'verifying' || this.#phase === 'loading';
  }

  /** Not accepted yet: there is nothing to renounce. */
  #leave(code: string, text: string): void {
    if (this.#phase === 'preparing') this.#do({ type: 'discard' });
    this.#finish('aborted', code, text);
  }

  /** NEVER: on record first, then NACK. */
  #renounce(reason: Reason): void {
    this.#reason = reason;
    this.#enter('renouncing', NEVER_NS);
    this.#do({ type: 'record', record: 'NEVER' });
  }

  #neverRecorded(): void {
    if (this.#phase !== 'renouncing') return;
    this.#decision = 'NEVER';
    if (!this.#sourceAborted) this.#nack();
    this.#do({ type: 'discard' });
    // An aborted source sends neither FINAL nor ENDED: nobody will ask for the record.
    if (this.#sourceAborted) this.#do({ type: 'forget-records' });
    this.#finish(this.#final === null ? 'aborted' : 'never', this.#reason.code, this.#reason.text);
  }

  #nack(): void {
    const { code, text } = this.#reason;
    this.#send({ type: 'nack', migrationId: this.#offer!.migrationId, code, text });
  }

  #recordFailed(record: 'RUNNING' | 'NEVER', text: string): void {
    if (record === 'RUNNING' && this.#phase === 'deciding') {
      this.#renounce({ code: 'VMOTION_RECORD_FAILED', text: `RUNNING was not recorded: ${text}` });
    } else if (record === 'NEVER' && this.#phase === 'renouncing') {
      // Without the record no NACK may leave: the source stays in doubt, and the guest runs nowhere.
      this.#do({ type: 'discard' });
      this.#finish('never', 'VMOTION_RECORD_FAILED', `NEVER was not recorded: ${text}`);
    }
  }

  #connectionLost(text: string): void {
    this.#connected = false;
    const reason: Reason = { code: 'VMOTION_CONNECTION_LOST', text };
    switch (this.#phase) {
      case 'idle':
      case 'preparing':
        return this.#leave(reason.code, text);
      case 'receiving':
        return this.#renounce(reason);
      case 'running':
        if (this.#postCopied)
          return this.#note(reason.code, `${text}; the source may not know that all has come`);
        return this.#finish('running', reason.code, text);
      case 'filling':
        return this.#note(reason.code, `${text}; the guest runs on and waits for the pages it touches`);
      default: // FINAL is whole: decide alone
        return;
    }
  }

  #violation({ code, text }: Reason): void {
    if (code === 'VMOTION_MESSAGE_UNKNOWN') return this.#send({ type: 'reject', code, text });
    if (this.#phase === 'idle' || this.#phase === 'preparing') this.#refuse({ code, text });
    else if (this.#phase === 'receiving') this.#renounce({ code, text });
    else this.#note(code, text);
  }

  #unexpected(type: MessageType): void {
    this.#violation({ code: 'VMOTION_MESSAGE_UNEXPECTED', text: `${type} came in phase ${this.#phase}` });
  }

  #cancel(text: string): void {
    const reason: Reason = { code: 'VMOTION_CANCELLED', text };
    if (this.#phase === 'idle' || this.#phase === 'preparing') this.#refuse(reason);
    else if (this.#undecided()) this.#renounce(reason);
    else this.#note(reason.code, `too late to cancel: ${text}`);
  }

  #expired(): void {
    const code = 'VMOTION_LOCAL_TIMEOUT';
    switch (this.#phase) {
      case 'preparing':
        return this.#refuse({ code, text: 'the memory was not prepared in time' });
      case 'receiving': {
        const text = this.#ready ? 'FINAL or its pages did not come' : 'the source did not come to an end';
        return this.#renounce({ code: 'VMOTION_FINAL_STALLED', text });
      }
      case 'verifying':
      case 'loading':
        return this.#renounce({ code, text: `a local step took too long in phase ${this.#phase}` });
      case 'filling': {
        this.#deadlineNs = this.#nowNs + this.#timers.fillingAlarmNs;
        const link = this.#connected ? 'the link stands' : 'the link is broken';
        return this.#note(
          'VMOTION_POSTCOPY_STALLED',
          `pages are still missing, ${link}: the guest may be stalled`,
        );
      }
      case 'running':
        return this.#finish(
          'running',
          'VMOTION_ENDED_TIMEOUT',
          'the source did not say ENDED; the records stay',
        );
      default:
        this.#deadlineNs = NEVER_NS;
    }
  }

  // ── small parts ─────────────────────────────────────────────────────────────────────────────────

  #enter(phase: DestinationPhase, limitNs: number): void {
    const from = this.#phase;
    this.#phase = phase;
    this.#deadlineNs = this.#nowNs + limitNs;
    const text = `${from} → ${phase}`;
    this.#do({ type: 'report', event: { type: 'phase', atNs: this.#nowNs, from, to: phase, text } });
  }

  /** The frames' window outlives the end: copies of forwarded frames may still be on their way. */
  #finish(outcome: DestinationOutcome, code: string, text: string): void {
    if (this.#finished) return;
    this.#finished = true;
    this.#enter('over', NEVER_NS);
    this.#final = null;
    this.#do({ type: 'finished', outcome, code, text });
  }

  #note(code: string, text: string): void {
    this.#do({ type: 'report', event: { type: 'note', atNs: this.#nowNs, code, text } });
  }

  #send(message: Message): void {
    if (this.#connected) this.#do({ type: 'send', message });
  }

  #do(action: DestinationAction): void {
    this.#out.push(action);
  }
}
