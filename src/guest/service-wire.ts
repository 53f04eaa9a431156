/**
 * The datagrams between a client and the guest's service, UDP port 7007. Network byte order.
 *
 *   request, 20 bytes     0 'LHS1'   4 client u32   8 seq u32   12 sent at, ns f64
 *   response, 36 bytes    0 'LHR1'   4 client u32   8 seq u32   12 sent at, as asked
 *                        20 count u32   24 previous seq u32   28 chain u32   32 slot before u32
 *
 * seq counts 1, 2, 3, … per client. The four words at the end come out of guest memory: service.ts says what
 * they are, service-ledger.ts what must hold of them.
 */

/** UDP port of the service. */
export const SERVICE_PORT = 7007;
export const REQUEST_SIZE = 20;
export const RESPONSE_SIZE = 36;

const REQUEST_MAGIC = 0x4c485331; // 'LHS1'
const RESPONSE_MAGIC = 0x4c485231; // 'LHR1'
const CLIENT = 4;
const SEQ = 8;
const SENT_AT = 12;
const COUNT = 20;
const PREV_SEQ = 24;
const CHAIN = 28;
const SLOT_PREV = 32;

/**
 * How far behind the newest request one may come and still be handled (an anti-replay window as in
 * RFC 4303 section 3.4.3). One that comes again, or later than this, is not.
 */
export const REORDER_WINDOW = 256;

/** The same of a guest with so many slot pages: no longer than a round of slots. */
export function reorderWindowOf(slotPages: number): number {
  return Math.min(REORDER_WINDOW, slotPages);
}

/** The chain after `seq` was handled. */
export function chainOf(chain: number, seq: number): number {
  let h = Math.imul(chain ^ (seq + 0x9e3779b9), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 15), 0xc2b2ae35);
  return (h ^ (h >>> 13)) >>> 0;
}

/** Remembers the DataView of the last buffer: buffers are few and reused, so that a message costs no view. */
class LastView {
  #view: DataView = new DataView(new ArrayBuffer(0));

  of(bytes: Uint8Array): DataView {
    if (bytes.buffer !== this.#view.buffer) this.#view = new DataView(bytes.buffer);
    return this.#view;
  }
}

/** A request, read from bytes (nothing is judged but length and magic) or to be written. */
export class RequestMessage {
  readonly #view = new LastView();
  client = 0;
  seq = 0;
  sentAtNs = 0;

  /** Reads; false when the bytes are no request. */
  read(bytes: Uint8Array, start: number, length: number): boolean {
    if (length !== REQUEST_SIZE || start + length > bytes.length) return false;
    const v = this.#view.of(bytes);
    const o = bytes.byteOffset + start;
    if (v.getUint32(o) !== REQUEST_MAGIC) return false;
    this.client = v.getUint32(o + CLIENT);
    this.seq = v.getUint32(o + SEQ);
    this.sentAtNs = v.getFloat64(o + SENT_AT);
    return true;
  }

  /** Writes REQUEST_SIZE bytes at `at`. */
  write(out: Uint8Array, at: number): void {
    const v = this.#view.of(out);
    const o = out.byteOffset + at;
    v.setUint32(o, REQUEST_MAGIC);
    v.setUint32(o + CLIENT, this.client);
    v.setUint32(o + SEQ, this.seq);
    v.setFloat64(o + SENT_AT, this.sentAtNs);
  }
}

/** A response, read from bytes or to be written. */
export class ResponseMessage {
  readonly #view = new LastView();
  client = 0;
  seq = 0;
  sentAtNs = 0;
  count = 0;
  prevSeq = 0;
  chain = 0;
  slotPrev = 0;

  /** Reads; false when the bytes are no response. */
  read(bytes: Uint8Array, start: number, length: number): boolean {
    if (length !== RESPONSE_SIZE || start + length > bytes.length) return false;
    const v = this.#view.of(bytes);
    const o = bytes.byteOffset + start;
    if (v.getUint32(o) !== RESPONSE_MAGIC) return false;
    this.client = v.getUint32(o + CLIENT);
    this.seq = v.getUint32(o + SEQ);
    this.sentAtNs = v.getFloat64(o + SENT_AT);
    this.count = v.getUint32(o + COUNT);
    this.prevSeq = v.getUint32(o + PREV_SEQ);
    this.chain = v.getUint32(o + CHAIN);
    this.slotPrev = v.getUint32(o + SLOT_PREV);
    return true;
  }

  /** Writes RESPONSE_SIZE bytes at `at`. */
  write(out: Uint8Array, at: number): void {
    const v = this.#view.of(out);
    const o = out.byteOffset + at;
    v.setUint32(o, RESPONSE_MAGIC);
    v.setUint32(o + CLIENT, this.client);
    v.setUint32(o + SEQ, this.seq);
    v.setFloat64(o + SENT_AT, this.sentAtNs);
    v.setUint32(o + COUNT, this.count);
    v.setUint32(o + PREV_SEQ, this.prevSeq);
    v.setUint32(o + CHAIN, this.chain);
    v.setUint32(o + SLOT_PREV, this.slotPrev);
  }
}
