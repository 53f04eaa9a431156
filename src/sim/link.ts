/**
 * One end of a reliable, ordered stream of items between two hosts, over frames that may be lost, doubled, damaged
 * or overtaken: what TCP is to the protocol, at the granularity of super-frames.
 *
 *   send ─► queue ─► segments ─► in flight ──(frames)──► held behind a hole ─► in order ─► onItem
 *                        ▲                                      │
 *                        └── packets that an ack calls missing ─┘   (or all of a segment that no ack came for)
 *
 * Loss is seen by acknowledgements of later segments, else by a timer that doubles (RFC 6298, its idea). The window is
 * fixed: a line of one's own, whose rate is known. An end from which nothing was heard for `silenceNs`, heartbeats
 * included, is lost.
 * Left out: congestion control (the transports' own tests have it), and opening: what is sent before the other end was
 * heard opens, as in TCP Fast Open (RFC 7413).
 */
import { Ring } from '../core/index.js';
import {
  type HeldSegment,
  type LinkContent,
  type LinkKind,
  PACKET_PAYLOAD_BYTES,
  SEGMENT_PACKETS_MAX,
  type Segment,
} from './link-frames.js';
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
}

interface InFlight {
  readonly segment: Segment;
  sentNs: number;
  again: boolean;
  /** What is known to be missing; null for all of it. */
  missing: readonly number[] | null;
  whole: boolean;
}

interface Held {
  readonly segment: Segment;
  /** By packet: 1 once it is here. */
  readonly here: Uint8Array;
  left: number;
}

/** Acks name at most so many segments behind the hole. */
const HELD_TOLD_MAX = 64;
const BACKOFF_MAX = 16;
/** Later segments that have come before one is taken for lost: fewer may be mere reordering (RFC 5681). */
const DUPLICATE_THRESHOLD = 3;
/** Below this a producer is asked for more. */
const LOW_WATER_BYTES = 64 * 1024;

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
  readonly #queue = new Ring<{ readonly bytes: number; readonly item: unknown }>();
  #queuedBytes = 0;
  /** Bytes of the queue's head that earlier segments have taken. */
  #headTaken = 0;
  #nextSeq = 0;
  readonly #flight = new Map<number, InFlight>();
  #flightBytes = 0;
  #rttNs = 0;
  #backoff = 1;
  #timerNs = Number.POSITIVE_INFINITY;
  #expected = 0;
  readonly #held = new Map<number, Held>();
  #highest = -1;
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
  ) {
    this.id = id;
    this.kind = kind;
    this.#time = time;
    this.#settings = { ...settings, segmentPackets: Math.min(SEGMENT_PACKETS_MAX, settings.segmentPackets) };
    this.#transmit = transmit;
    this.#forget = forget;
    this.#heardNs = this.#saidNs = time.nowNs;
    this.#waker = new Waker(time, () => this.#woke());
    this.#mind();
  }

  get isOpen(): boolean {
    return this.#open;
  }

  /** Bytes that wait for the window. */
  get backlogBytes(): number {
    return this.#queuedBytes;
  }

  /** Nothing waits and nothing is in flight. */
  get isIdle(): boolean {
    return this.#queuedBytes === 0 && this.#flight.size === 0;
  }

  /** @param bytes what the item takes on the stream, at least 1 */
  send(bytes: number, item: unknown): void {
    if (!this.#open || this.#closing) return;
    this.#queue.push({ bytes, item });
    this.#queuedBytes += bytes;
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
        this.#ackCame(content.next, content.held);
        break;
      case 'fin':
        return this.#lose('the peer has closed');
      case 'reset':
        return this.#lose('the peer knows nothing of it');
    }
    if (this.#open) this.#mind();
  }

  // ── sending ─────────────────────────────────────────────────────────────────────────────────────

  #fill(): void {
    while (this.#queuedBytes > 0 && this.#flightBytes < this.#settings.windowBytes) this.#sendSegment();
    if (this.#queuedBytes < LOW_WATER_BYTES) this.onRoom();
  }

  #sendSegment(): void {
    const most = this.#settings.segmentPackets * PACKET_PAYLOAD_BYTES;
    const ends: unknown[] = [];
    let bytes = 0;
    while (bytes < most && this.#queuedBytes > 0) {
      const head = this.#queue.peek()!;
      const take = Math.min(head.bytes - this.#headTaken, most - bytes);
      bytes += take;
      this.#headTaken += take;
      this.#queuedBytes -= take;
      if (this.#headTaken < head.bytes) break;
      ends.push(head.item);
      this.#queue.shift();
      this.#headTaken = 0;
    }
    const segment: Segment = {
      seq: this.#nextSeq++,
      bytes,
      packets: Math.ceil(bytes / PACKET_PAYLOAD_BYTES),
      ends,
    };
    const now = this.#time.nowNs;
    if (this.#flight.size === 0) this.#armTimer(now);
    this.#flight.set(segment.seq, { segment, sentNs: now, again: false, missing: null, whole: false });
    this.#flightBytes += bytes;
    this.#sendData(segment, null);
  }

  #sendData(segment: Segment, part: readonly number[] | null): void {
    this.#saidNs = this.#time.nowNs;
    const opens = !this.#established;
    this.#transmit({ type: 'data', connection: this.id, kind: this.kind, opens, segment, part });
  }

  #sendAgain(f: InFlight): void {
    f.again = true;
    f.sentNs = this.#time.nowNs;
    this.#sendData(f.segment, f.missing);
  }

  #ackCame(next: number, held: readonly HeldSegment[]): void {
    const now = this.#time.nowNs;
    let progress = false;
    for (const [seq, f] of this.#flight) {
      if (seq >= next) break;
      if (!f.again && !f.whole) this.#measured(now - f.sentNs);
      if (!f.whole) this.#flightBytes -= f.segment.bytes;
      this.#flight.delete(seq);
      progress = true;
    }
    for (const { seq, missing } of held) {
      const f = this.#flight.get(seq);
      if (f === undefined || f.whole) continue;
      f.missing = missing;
      if (missing !== null) continue;
      f.whole = true;
      this.#flightBytes -= f.segment.bytes;
      progress = true;
    }
    if (held.length > 0) this.#repair(held[held.length - 1]!.seq);
    if (progress) {
      this.#backoff = 1;
      this.#armTimer(now);
    }
    this.#fill();
    this.#mayFinish();
  }

  /** Sends again what others have overtaken, once a round trip. */
  #repair(highest: number): void {
    const now = this.#time.nowNs;
    for (const [seq, f] of this.#flight) {
      if (seq > highest) return;
      if (f.whole || (f.missing === null && seq > highest - DUPLICATE_THRESHOLD)) continue;
      if (now - f.sentNs > this.#rttNs) this.#sendAgain(f);
    }
  }

  #measured(rttNs: number): void {
    this.#rttNs = this.#rttNs === 0 ? rttNs : Math.round((7 * this.#rttNs + rttNs) / 8);
  }

  #armTimer(now: number): void {
    const { retransmitNs } = this.#settings;
    this.#timerNs = now + Math.max(retransmitNs, 3 * this.#rttNs) * this.#backoff;
  }

  #mayFinish(): void {
    if (!this.#closing || !this.#open || !this.isIdle) return;
    this.#open = false;
    this.#transmit({ type: 'fin', connection: this.id });
    this.#forget();
  }

  // ── receiving ───────────────────────────────────────────────────────────────────────────────────

  #dataCame(segment: Segment, part: readonly number[] | null, missing: readonly number[] | null): void {
    const { seq } = segment;
    if (seq > this.#highest) this.#highest = seq;
    if (seq < this.#expected) return this.#sendAck();
    if (seq === this.#expected && part === null && missing === null) this.#deliver(segment);
    else this.#hold(segment, part, missing);
    for (let held = this.#held.get(this.#expected); held?.left === 0; held = this.#held.get(this.#expected))
      this.#deliver(held.segment);
    this.#sendAck();
  }

  #hold(segment: Segment, part: readonly number[] | null, missing: readonly number[] | null): void {
    let held = this.#held.get(segment.seq);
    if (held === undefined) {
      held = { segment, here: new Uint8Array(segment.packets), left: segment.packets };
      this.#held.set(segment.seq, held);
    }
    const count = part?.length ?? segment.packets;
    let nextMissing = 0;
    for (let i = 0; i < count; i++) {
      if (missing?.[nextMissing] === i) {
        nextMissing++;
        continue;
      }
      const packet = part?.[i] ?? i;
      if (held.here[packet] === 1) continue;
      held.here[packet] = 1;
      held.left--;
    }
  }

  #deliver(segment: Segment): void {
    this.#held.delete(segment.seq);
    this.#expected++;
    for (const item of segment.ends) if (this.#open) this.onItem(item);
  }

  #sendAck(): void {
    if (!this.#open) return;
    this.#saidNs = this.#time.nowNs;
    const held: HeldSegment[] = [];
    if (this.#held.size > 0) {
      for (let seq = this.#expected; seq <= this.#highest && held.length < HELD_TOLD_MAX; seq++) {
        const h = this.#held.get(seq);
        if (h !== undefined) held.push({ seq, missing: h.left === 0 ? null : missingOf(h) });
      }
    }
    this.#transmit({ type: 'ack', connection: this.id, next: this.#expected, held });
  }

  // ── time ────────────────────────────────────────────────────────────────────────────────────────

  get #heartbeatNs(): number {
    return this.#settings.silenceNs / 4;
  }

  #mind(): void {
    const timer = this.#flight.size > 0 ? this.#timerNs : Number.POSITIVE_INFINITY;
    const silent = this.#heardNs + this.#settings.silenceNs;
    this.#waker.mind(Math.min(timer, silent, this.#saidNs + this.#heartbeatNs));
  }

  #woke(): void {
    if (!this.#open) return;
    const now = this.#time.nowNs;
    if (now >= this.#heardNs + this.#settings.silenceNs) return this.#lose('nothing was heard of the peer');
    if (this.#flight.size > 0 && now >= this.#timerNs) {
      this.#backoff = Math.min(BACKOFF_MAX, this.#backoff * 2);
      this.#armTimer(now);
      for (const f of this.#flight.values()) {
        if (f.whole) continue;
        this.#sendAgain(f);
        break;
      }
    }
    if (now >= this.#saidNs + this.#heartbeatNs) this.#sendAck();
    this.#mind();
  }

  #lose(text: string): void {
    this.#open = false;
    this.#forget();
    this.onLost(text);
  }
}

function missingOf(h: Held): number[] {
  const missing: number[] = [];
  for (let i = 0; i < h.here.length; i++) if (h.here[i] === 0) missing.push(i);
  return missing;
}
