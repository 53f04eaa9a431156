/**
 * A reliable byte stream over datagrams, for segments without a kernel's TCP. Sans-IO: datagrams in, datagrams out,
 * time as an argument. `stream-datagram.ts` has the layout, `stream-sender.ts` and `stream-receiver.ts` the halves.
 *
 *   opening ─first datagram heard─► open ─close()─► closing ─FIN acknowledged─► closed
 *                                    │                                            ▲
 *                                    └──── peer's FIN, and every byte read ───────┘
 *   any but closed ─── nothing heard for `silenceNs` although asked ───► broken
 *
 * Opening costs no round trip: the first datagrams carry data and SYN. Acknowledgements are not delayed: one leaves
 * with each `flush` after something came, so a driver that takes a batch of datagrams acknowledges the batch.
 * A close is for both directions: who sees the peer's FIN sends no more. Left out: pacing, half-open connections,
 * protection against off-path forgery (authentication stands above).
 */
import { NS_PER_S } from '../core/index.js';
import { requireRange } from './errors.js';
import {
  ACK_AT,
  BLOCKS_AT,
  CONNECTION_AT,
  expandOffset,
  FLAG_FIN,
  FLAG_PROBE,
  FLAG_SYN,
  FLAGS_AT,
  isOpeningDatagram,
  MAGIC_AT,
  SEQ_AT,
  STREAM_BLOCK_BYTES,
  STREAM_BLOCKS_MAX,
  STREAM_HEADER_BYTES,
  STREAM_MAGIC,
  WINDOW_AT,
} from './stream-datagram.js';
import { StreamReceiver } from './stream-receiver.js';
import { PEER_WINDOW_FIRST_BYTES, StreamSender } from './stream-sender.js';

export interface ReliableStreamOptions {
  /** Payload bytes of a datagram at most, 64..65,000; the datagram has 20 more. */
  readonly mss: number;
  /** Segments in flight at most, 2..65,536; default 256. */
  readonly maxWindowSegments?: number;
  /** Bytes held each way; default twice the window; at least 64 KiB and 4 mss. Rounded up to a power of two. */
  readonly bufferBytes?: number;
  /** Quiet for so long: ask whether the peer is there. `Infinity`: never ask. Default 1 s. */
  readonly keepaliveNs?: number;
  /** Asked for so long without a word: broken. Default 10 s. */
  readonly silenceNs?: number;
}

export type StreamState = 'opening' | 'open' | 'closing' | 'closed' | 'broken';

/** A FIN nobody acknowledges is sent so often: the peer has gone after it read everything. */
const FIN_TIMEOUTS_MAX = 3;
const BUFFER_BYTES_MAX = 2 ** 28;

export class ReliableStream {
  /** Bytes each datagram has besides its payload. */
  static readonly HEADER_BYTES = STREAM_HEADER_BYTES;

  readonly #sender: StreamSender;
  readonly #receiver: StreamReceiver;
  readonly #keepaliveNs: number;
  readonly #silenceNs: number;
  readonly #datagram: Uint8Array;
  readonly #view: DataView;
  #in: DataView | null = null;
  #state: StreamState;
  #connectionId: number;
  #heard = false;
  #ackDue = false;
  #probeDue = false;
  /** When the sender's timer expires, and when the peer is next asked for a word. */
  #rtoNs = Number.POSITIVE_INFINITY;
  #keepNs = Number.POSITIVE_INFINITY;
  #heardNs = -1;
  #finTimeouts = 0;
  /** Datagrams ignored: not of this format, of another connection. */
  malformed = 0;
  foreign = 0;

  private constructor(options: ReliableStreamOptions, connectionId: number) {
    const mss = requireRange('mss', options.mss, 64, 65_000);
    const window = requireRange('maxWindowSegments', options.maxWindowSegments ?? 256, 2, 65_536);
    const bufferBytes = requireRange(
      'bufferBytes',
      options.bufferBytes ?? Math.min(BUFFER_BYTES_MAX, Math.max(PEER_WINDOW_FIRST_BYTES, 2 * window * mss)),
      Math.max(PEER_WINDOW_FIRST_BYTES, 4 * mss),
      BUFFER_BYTES_MAX,
    );
    this.#keepaliveNs = requireRange('keepaliveNs', options.keepaliveNs ?? NS_PER_S, 1, Infinity, false);
    this.#silenceNs = requireRange('silenceNs', options.silenceNs ?? 10 * NS_PER_S, 1, Infinity, false);
    this.#sender = new StreamSender(mss, window, bufferBytes);
    this.#receiver = new StreamReceiver(bufferBytes, mss);
    this.#datagram = new Uint8Array(
      STREAM_HEADER_BYTES + Math.max(mss, STREAM_BLOCKS_MAX * STREAM_BLOCK_BYTES),
    );
    this.#view = new DataView(this.#datagram.buffer);
    this.#connectionId = connectionId;
    this.#state = connectionId < 0 ? 'open' : 'opening';
    this.#probeDue = connectionId >= 0;
  }

  /**
   * The side that begins. `connectionId` is any 32-bit number not used before between the two ports.
   * @throws ConfigError VMOTION_CONFIG_RANGE
   */
  static open(options: ReliableStreamOptions & { readonly connectionId: number }): ReliableStream {
    return new ReliableStream(options, requireRange('connectionId', options.connectionId, 0, 0xffffffff));
  }

  /** The side that was called: give it the datagram for which `isOpening` was true. */
  static accept(options: ReliableStreamOptions): ReliableStream {
    return new ReliableStream(options, -1);
  }

  static isOpening(datagram: Uint8Array): boolean {
    return isOpeningDatagram(datagram);
  }

  get state(): StreamState {
    return this.#state;
  }

  /** Bytes that `write` would take now. */
  get writable(): number {
    return this.#state === 'opening' || this.#state === 'open' ? this.#sender.writable : 0;
  }

  /** Bytes that `read` would give now. */
  get readable(): number {
    return this.#receiver.readable;
  }

  /** Figures for a report; a fresh object. */
  get counters() {
    const { segments, retransmissions, timeouts, windowSegments, rto } = this.#sender;
    const { duplicates, dropped } = this.#receiver;
    const { malformed, foreign } = this;
    return {
      segments,
      retransmissions,
      timeouts,
      windowSegments,
      srttNs: rto.srttNs,
      duplicates,
      dropped,
      malformed,
      foreign,
    };
  }

  /** Takes bytes to be sent; they are copied. @returns how many were taken, 0 when full or closed */
  write(bytes: Uint8Array): number {
    return this.writable > 0 ? this.#sender.write(bytes) : 0;
  }

  /** Copies what has come, in order, into `into`. @returns bytes copied */
  read(into: Uint8Array): number {
    const n = this.#receiver.read(into);
    if (n > 0 && this.#receiver.windowNews) this.#ackDue = true;
    this.#mayClose();
    return n;
  }

  /** What was written is still sent, then the stream ends. */
  close(): void {
    if (this.#state !== 'opening' && this.#state !== 'open') return;
    this.#state = 'closing';
    this.#sender.finish();
  }

  /** When `flush` is to be called again; 0 for at once. Pure. */
  nextWakeNs(): number {
    if (this.#state === 'broken') return Number.POSITIVE_INFINITY;
    if (this.#state === 'closed') return this.#ackDue ? 0 : Number.POSITIVE_INFINITY;
    if (this.#ackDue || this.#probeDue || this.#sender.ready) return 0;
    return Math.min(this.#rtoNs, this.#keepNs);
  }

  /** A datagram came. Never throws; what is not of this stream is counted and ignored. */
  receive(nowNs: number, datagram: Uint8Array): void {
    const length = datagram.length;
    const view = this.#viewOf(datagram);
    const blocks = length < STREAM_HEADER_BYTES ? 0 : view.getUint8(BLOCKS_AT);
    const payloadAt = STREAM_HEADER_BYTES + blocks * STREAM_BLOCK_BYTES;
    if (length < payloadAt || view.getUint16(MAGIC_AT) !== STREAM_MAGIC || blocks > STREAM_BLOCKS_MAX) {
      this.malformed++;
      return;
    }
    const flags = view.getUint8(FLAGS_AT);
    const connectionId = view.getUint32(CONNECTION_AT);
    if (this.#connectionId < 0 && (flags & FLAG_SYN) !== 0) this.#connectionId = connectionId;
    if (connectionId !== this.#connectionId || this.#state === 'broken') {
      this.foreign++;
      return;
    }
    this.#heard = true;
    this.#heardNs = nowNs;
    this.#keepNs = nowNs + this.#keepaliveNs;
    if (this.#state === 'opening') {
      this.#state = 'open';
      this.#probeDue = false;
      if (!this.#sender.outstanding) this.#rtoNs = Number.POSITIVE_INFINITY;
    }
    const sender = this.#sender;
    const receiver = this.#receiver;
    const ack = expandOffset(view.getUint32(ACK_AT), sender.next);
    const limit = ack + view.getUint32(WINDOW_AT);
    if (sender.acknowledged(nowNs, ack, limit, view, STREAM_HEADER_BYTES, blocks)) {
      this.#rtoNs = sender.outstanding ? nowNs + sender.rto.rtoNs : Number.POSITIVE_INFINITY;
    }
    const fin = (flags & FLAG_FIN) !== 0;
    if (length > payloadAt || fin) {
      const seq = expandOffset(view.getUint32(SEQ_AT), receiver.ack);
      receiver.segment(seq, datagram, payloadAt, length - payloadAt, fin);
      this.#ackDue = true;
    } else if ((flags & (FLAG_PROBE | FLAG_SYN)) !== 0) this.#ackDue = true;
    this.#mayClose();
  }

  /** Sends all that is due now. The view given to `emit` is valid only during the call. */
  flush(nowNs: number, emit: (datagram: Uint8Array) => void): void {
    if (this.#state === 'broken') return;
    if (this.#heardNs < 0) {
      this.#heardNs = nowNs;
      this.#keepNs = nowNs + this.#keepaliveNs;
    }
    this.#timers(nowNs);
    if (this.#state === 'closed') {
      if (this.#ackDue) this.#emitControl(emit, 0);
      return;
    }
    const sender = this.#sender;
    // Blocks travel alone: data goes out without them, so a pure acknowledgement leads.
    if (this.#ackDue && this.#receiver.ranges > 0) this.#emitControl(emit, 0);
    while (sender.ready) {
      sender.take(nowNs);
      sender.copy(this.#datagram, STREAM_HEADER_BYTES);
      this.#header((this.#heard ? 0 : FLAG_SYN) | (sender.fin ? FLAG_FIN : 0), 0, sender.seq);
      if (this.#rtoNs === Number.POSITIVE_INFINITY) this.#rtoNs = nowNs + sender.rto.rtoNs;
      this.#probeDue = this.#ackDue = false;
      emit(this.#datagram.subarray(0, STREAM_HEADER_BYTES + sender.length));
    }
    if (this.#probeDue) this.#emitControl(emit, FLAG_PROBE | (this.#heard ? 0 : FLAG_SYN));
    else if (this.#ackDue) this.#emitControl(emit, 0);
    if (this.#rtoNs === Number.POSITIVE_INFINITY && (sender.blockedByPeer || this.#state === 'opening')) {
      this.#rtoNs = nowNs + sender.rto.rtoNs;
    }
  }

  #timers(nowNs: number): void {
    if (nowNs - this.#heardNs >= this.#silenceNs && (nowNs >= this.#rtoNs || nowNs >= this.#keepNs)) {
      this.#state = this.#state === 'closed' ? 'closed' : 'broken';
      return;
    }
    const sender = this.#sender;
    if (nowNs >= this.#rtoNs) {
      this.#rtoNs = Number.POSITIVE_INFINITY;
      if (sender.outstanding) {
        sender.timedOut();
        if (sender.onlyFinLeft && ++this.#finTimeouts > FIN_TIMEOUTS_MAX) this.#state = 'closed';
      } else if (sender.blockedByPeer || this.#state === 'opening') {
        sender.rto.backOff();
        this.#probeDue = true;
      }
    }
    if (nowNs >= this.#keepNs) {
      this.#keepNs = nowNs + this.#keepaliveNs;
      this.#probeDue = true;
    }
  }

  /** Ended by both, or by the peer with nothing left to read. */
  #mayClose(): void {
    if (this.#state === 'closing' && this.#sender.done) this.#state = 'closed';
    if (this.#receiver.ended && this.#receiver.readable === 0 && this.#state !== 'broken')
      this.#state = 'closed';
  }

  #emitControl(emit: (datagram: Uint8Array) => void, flags: number): void {
    const receiver = this.#receiver;
    const blocks = Math.min(STREAM_BLOCKS_MAX, receiver.ranges);
    this.#header(flags, blocks, this.#sender.next);
    for (let i = 0; i < blocks; i++) {
      const at = STREAM_HEADER_BYTES + i * STREAM_BLOCK_BYTES;
      this.#view.setUint32(at, receiver.rangeStart(i) >>> 0);
      this.#view.setUint32(at + 4, receiver.rangeEnd(i) >>> 0);
    }
    this.#probeDue = this.#ackDue = false;
    emit(this.#datagram.subarray(0, STREAM_HEADER_BYTES + blocks * STREAM_BLOCK_BYTES));
  }

  #header(flags: number, blocks: number, seq: number): void {
    const view = this.#view;
    view.setUint16(MAGIC_AT, STREAM_MAGIC);
    view.setUint8(FLAGS_AT, flags);
    view.setUint8(BLOCKS_AT, blocks);
    view.setUint32(CONNECTION_AT, this.#connectionId);
    view.setUint32(SEQ_AT, seq >>> 0);
    view.setUint32(ACK_AT, this.#receiver.ack >>> 0);
    view.setUint32(WINDOW_AT, this.#receiver.tellWindow());
  }

  /** One DataView per buffer, and drivers receive into the same buffer again and again. */
  #viewOf(bytes: Uint8Array): DataView {
    const view = this.#in;
    if (
      view !== null &&
      view.buffer === bytes.buffer &&
      view.byteOffset === bytes.byteOffset &&
      view.byteLength === bytes.length
    ) {
      return view;
    }
    this.#in = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    return this.#in;
  }
}
