/**
 * One end of a reliable, ordered stream of items between two hosts, over frames that may be lost, doubled, damaged
 * or overtaken: what TCP is to the protocol, at the granularity of super-frames.
 *
 *   send ─► queue ─► segments ─► in flight ──(frames)──► held behind a hole ─► in order ─► onItem
 *                        ▲                                      │
 *                        └── packets that an ack calls missing ─┘   (or all of a segment that no ack came for)
 *
 * Loss is seen by acknowledgements of later segments, else by a timer that doubles (RFC 6298), after which all that is
 * under way counts as lost. The window is fixed (a line of one's own, whose rate is known), or a congestion
 * control's, which also says how fast segments leave; then a kernel's buffers bound it as well (`kernel-buffers.ts`),
 * and a probe of the last segment goes ahead of the timer (RFC 8985, section 7). An end from which nothing was heard
 * for `silenceNs`, heartbeats included, is lost.
 * Opening takes a set number of round trips, in which both ends say a word that nobody else sees; with none, what is sent
 * before the other end was heard opens, as in TCP Fast Open (RFC 7413).
 */

import { FIRST_RECEIVE_WINDOW_BYTES, ReceiveWindow, SendBuffer } from './kernel-buffers.js';
import { type InFlight, LinkFlight } from './link-flight.js';
import {
  type HeldSegment,
  type LinkContent,
  type LinkKind,
  PACKET_PAYLOAD_BYTES,
  SEGMENT_PACKETS_MAX,
  type Segment,
} from './link-frames.js';
import { LinkInbox } from './link-inbox.js';
import { LinkPace, type SimCongestion } from './link-pace.js';
import { LinkQueue } from './link-queue.js';
import { type VirtualTime, Waker } from './virtual-time.js';

export interface LinkSettings {
  /** Bytes in flight at most. */
  readonly windowBytes: number;
  /** Wire packets of one segment, 1..44: shorter ones keep other traffic from waiting. */
  readonly segmentPackets: number;
  /** Silence after which the other end counts as lost. */
  readonly silenceNs: number;
  /** First and shortest wait for an acknowledgement. */
  readonly retransmitNs: number;
  /** Round trips until whoever opens may send, by what the link is for. Default none. */
  readonly openingTurns?: Readonly<Record<LinkKind, number>>;
  /** What governs window and pace within `windowBytes`. Default nothing. */
  readonly congestion?: SimCongestion;
  /** Most that a page link may put on the wire, bits per second; only with congestion control. Default unlimited. */
  readonly pageLinkBps?: number;
}

const BACKOFF_MAX = 16;
/** Without congestion control a producer is asked for more below the first, and gives until the second. */
const LOW_WATER_BYTES = 64 * 1024;
const BACKLOG_BYTES = 128 * 1024;
/** What both ends say while a link opens. */
const GREETING = Symbol('greeting');
const GREETING_BYTES = 64;
/** A lost end is probed for after two round trips and this (RFC 8985, section 7.2). */
const PROBE_SPARE_NS = 2_000_000;

export class Link {
  readonly id: number;
  readonly kind: LinkKind;
  /** Called for every item, in order. */
  onItem: (item: unknown) => void = () => {};
  /** The queue runs low: send more, if there is more. */
  onRoom: () => void = () => {};
  /** Once. */
  onLost: (text: string) => void = () => {};

  readonly #time: VirtualTime;
  readonly #settings: LinkSettings;
  readonly #transmit: (content: LinkContent) => void;
  readonly #forget: () => void;
  readonly #waker: Waker;
  readonly #queue = new LinkQueue();
  /** Items that wait for the link to open. */
  readonly #early: { readonly bytes: number; readonly item: unknown }[] = [];
  #earlyBytes = 0;
  #turnsLeft: number;
  readonly #pace: LinkPace | null;
  /** The probe of this flight's end has been sent. */
  #probed = false;
  readonly #flight: LinkFlight;
  readonly #buffer = new SendBuffer();
  readonly #receiveWindow = new ReceiveWindow();
  #peerWindowBytes = FIRST_RECEIVE_WINDOW_BYTES;
  #backoff = 1;
  #timerNs = Number.POSITIVE_INFINITY;
  #armedNs = 0;
  readonly #inbox = new LinkInbox((segment) => this.#deliver(segment));
  #heardNs: number;
  #saidNs: number;
  #established = false;
  #closing = false;
  #open = true;

  constructor(
    id: number,
    kind: LinkKind,
    time: VirtualTime,
    settings: LinkSettings,
    transmit: (content: LinkContent) => void,
    forget: () => void,
    opens: boolean,
  ) {
    this.id = id;
    this.kind = kind;
    this.#time = time;
    this.#settings = { ...settings, segmentPackets: Math.min(SEGMENT_PACKETS_MAX, settings.segmentPackets) };
    this.#transmit = transmit;
    this.#forget = forget;
    this.#heardNs = this.#saidNs = time.nowNs;
    this.#turnsLeft = opens ? (settings.openingTurns?.[kind] ?? 0) : 0;
    const mostBps = kind === 'pages' ? settings.pageLinkBps : undefined;
    this.#pace = settings.congestion === undefined ? null : new LinkPace(settings.congestion, mostBps);
    this.#flight = new LinkFlight(this.#pace);
    this.#waker = new Waker(time, () => this.#woke());
    if (this.#turnsLeft > 0) this.#greet();
    this.#mind();
  }

  get isOpen(): boolean {
    return this.#open;
  }

  /** Bytes that wait for the window. */
  get backlogBytes(): number {
    return this.#queue.bytes + this.#earlyBytes;
  }

  /** Whether a producer that can wait should give more now. */
  get takesMore(): boolean {
    if (this.#pace === null) return this.backlogBytes < BACKLOG_BYTES;
    return this.#buffer.takes(this.backlogBytes + this.#flight.heldBytes);
  }

  /** Nothing waits and nothing is in flight. */
  get isIdle(): boolean {
    return this.backlogBytes === 0 && this.#flight.isEmpty;
  }

  /** @param bytes what the item takes on the stream, at least 1 */
  send(bytes: number, item: unknown): void {
    if (!this.#open || this.#closing) return;
    if (this.#turnsLeft > 0) {
      this.#early.push({ bytes, item });
      this.#earlyBytes += bytes;
      return;
    }
    // Until now it had nothing to send: what was measured of the path meanwhile is a lower bound.
    if (this.#pace !== null && this.#queue.bytes === 0 && !this.#flight.hasLost)
      if (this.#flight.bytes < this.#pace.windowBytes) this.#pace.ranDry(this.#flight.bytes);
    this.#queue.push(bytes, item);
    this.#fill();
    this.#mind();
  }

  /** Nothing more will be sent; the other end is told when all has arrived. */
  close(): void {
    this.#closing = true;
    this.#mayFinish();
  }

  /** As when the process is gone: no word to anybody. */
  vanish(): void {
    this.#open = false;
    this.#forget();
  }

  /** A frame of this connection came. @param missing packets of the frame that did not */
  take(content: LinkContent, missing: readonly number[] | null): void {
    if (!this.#open) return;
    this.#heardNs = this.#time.nowNs;
    this.#established = true;
    switch (content.type) {
      case 'data':
        this.#dataCame(content.segment, content.part, missing);
        break;
      case 'ack':
        this.#peerWindowBytes = content.windowBytes;
        this.#ackCame(content.next, content.held);
        break;
      case 'fin':
        return this.#lose('the peer has closed');
      case 'reset':
        return this.#lose('the peer knows nothing of it');
    }
    if (this.#open) this.#mind();
  }

  // ── opening ─────────────────────────────────────────────────────────────────────────────────────

  #greet(): void {
    this.#queue.push(GREETING_BYTES, GREETING);
    this.#fill();
  }

  /** The acceptor's answer, or at the acceptor the opener's word. */
  #greeted(): void {
    if (this.#turnsLeft === 0) return this.#greet();
    if (--this.#turnsLeft > 0) return this.#greet();
    for (const { bytes, item } of this.#early.splice(0)) this.#queue.push(bytes, item);
    this.#earlyBytes = 0;
    this.#fill();
  }

  // ── sending ─────────────────────────────────────────────────────────────────────────────────────

  #mayGo(): boolean {
    const pace = this.#pace;
    if (pace === null) return this.#flight.bytes < this.#settings.windowBytes;
    const window = Math.min(pace.windowBytes, this.#settings.windowBytes);
    return this.#flight.bytes < window && this.#time.nowNs >= pace.nextNs;
  }

  #fill(): void {
    for (let f = this.#flight.nextLost(); f !== undefined; f = this.#flight.nextLost()) {
      if (!this.#mayGo()) return;
      this.#sendAgain(f);
    }
    while (this.#queue.bytes > 0 && this.#mayGo() && this.#peerHasRoom) this.#sendSegment();
    if (this.#turnsLeft === 0 && (this.#pace === null ? this.#queue.bytes < LOW_WATER_BYTES : this.takesMore))
      this.onRoom();
  }

  get #peerHasRoom(): boolean {
    return this.#pace === null || this.#flight.heldBytes < this.#peerWindowBytes;
  }

  #sendSegment(): void {
    const most = this.#settings.segmentPackets * PACKET_PAYLOAD_BYTES;
    const segment = this.#queue.cut(most);
    const now = this.#time.nowNs;
    if (this.#flight.isEmpty) this.#armTimer(now);
    this.#flight.leave(now, segment);
    this.#probed = false;
    this.#sendData(segment, null);
  }

  #sendData(segment: Segment, part: readonly number[] | null): void {
    this.#saidNs = this.#time.nowNs;
    const opens = !this.#established;
    this.#transmit({ type: 'data', connection: this.id, kind: this.kind, opens, segment, part });
  }

  #sendAgain(f: InFlight): void {
    this.#flight.leaveAgain(this.#time.nowNs, f);
    this.#sendData(f.segment, f.missing);
  }

  #ackCame(next: number, held: readonly HeldSegment[]): void {
    const now = this.#time.nowNs;
    if (this.#flight.acknowledged(now, next, held)) {
      // As long as no round trip was measured, a timer that was too short would be so again (Karn's algorithm).
      if (this.#flight.rttNs > 0) this.#backoff = 1;
      this.#probed = false;
      this.#armTimer(now);
    }
    this.#fill();
    this.#mayFinish();
  }

  #armTimer(now: number): void {
    const { retransmitNs } = this.#settings;
    this.#armedNs = now;
    this.#timerNs = now + Math.max(retransmitNs, 3 * this.#flight.rttNs) * this.#backoff;
  }

  #mayFinish(): void {
    if (!this.#closing || !this.#open || !this.isIdle) return;
    this.#open = false;
    this.#transmit({ type: 'fin', connection: this.id });
    this.#forget();
  }

  // ── receiving ───────────────────────────────────────────────────────────────────────────────────

  #dataCame(segment: Segment, part: readonly number[] | null, missing: readonly number[] | null): void {
    if (this.#pace !== null) this.#receiveWindow.took(segment.bytes);
    const isNew = this.#inbox.take(segment, part, missing);
    this.#sendAck(isNew ? segment.seq : null);
  }

  #deliver(segment: Segment): void {
    for (const item of segment.ends) {
      if (!this.#open) return;
      if (item === GREETING) this.#greeted();
      else this.onItem(item);
    }
  }

  /** @param newest the segment that it answers; null for none */
  #sendAck(newest: number | null): void {
    if (!this.#open) return;
    this.#saidNs = this.#time.nowNs;
    const { expected: next } = this.#inbox;
    const { bytes: windowBytes } = this.#receiveWindow;
    const held = this.#inbox.told(newest);
    this.#transmit({ type: 'ack', connection: this.id, next, held, windowBytes });
  }

  // ── time ────────────────────────────────────────────────────────────────────────────────────────

  get #heartbeatNs(): number {
    return this.#settings.silenceNs / 4;
  }

  #mind(): void {
    const timer = !this.#flight.isEmpty ? Math.min(this.#timerNs, this.#probeNs) : Number.POSITIVE_INFINITY;
    const silent = this.#heardNs + this.#settings.silenceNs;
    this.#waker.mind(Math.min(timer, silent, this.#saidNs + this.#heartbeatNs, this.#paceNs));
  }

  /** When the pace lets the next segment go that waits for nothing else. */
  get #paceNs(): number {
    const pace = this.#pace;
    if (pace === null || (this.#queue.bytes === 0 && !this.#flight.hasLost)) return Number.POSITIVE_INFINITY;
    const now = this.#time.nowNs;
    return pace.nextNs > now && this.#flight.bytes < pace.windowBytes
      ? pace.nextNs
      : Number.POSITIVE_INFINITY;
  }

  /** When the end of the flight is probed for. */
  get #probeNs(): number {
    if (this.#pace === null || this.#probed || this.#flight.rttNs === 0) return Number.POSITIVE_INFINITY;
    return this.#armedNs + 2 * this.#flight.rttNs + PROBE_SPARE_NS;
  }

  #woke(): void {
    if (!this.#open) return;
    const now = this.#time.nowNs;
    if (now >= this.#heardNs + this.#settings.silenceNs) return this.#lose('nothing was heard of the peer');
    if (!this.#flight.isEmpty && now >= this.#timerNs) this.#timedOut(now);
    else if (!this.#flight.isEmpty && now >= this.#probeNs) this.#probe();
    if (this.#pace !== null) this.#fill();
    if (now >= this.#saidNs + this.#heartbeatNs) this.#sendAck(null);
    this.#mind();
  }

  #timedOut(now: number): void {
    this.#backoff = Math.min(BACKOFF_MAX, this.#backoff * 2);
    this.#armTimer(now);
    this.#pace?.timedOut(now);
    this.#flight.timedOut();
    const oldest = this.#flight.oldest();
    if (oldest !== undefined) this.#sendAgain(oldest);
    this.#fill();
  }

  /** The newest segment that is not whole, once more: what comes back shows what else is missing. */
  #probe(): void {
    this.#probed = true;
    const newest = this.#flight.newest();
    if (newest !== undefined) this.#sendAgain(newest);
  }

  #lose(text: string): void {
    this.#open = false;
    this.#forget();
    this.onLost(text);
  }
}
