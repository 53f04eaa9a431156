/**
 * One datagram as the connection orders it: what the machine writes itself, and where page bytes belong in between.
 * The driver gathers both with one system call; page bytes need not pass through here.
 *
 *   staging:  │ header │ PAGE │                │ PAGE │                │ CONTROL │ bytes │
 *                             ▲ cut 0: 900 bytes       ▲ cut 1: 532 bytes
 *                               of pfn 7 from 3196       of pfn 8 from 0
 *
 * A *flat* plan has the page bytes copied in (by `PageRecords.copy`), for wires that take one piece: our own IP
 * stack, encryption, and datagrams that parity covers.
 */
import { FRAGMENTS_MAX } from './sent-packets.js';

export class DatagramPlan {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  /** Where in `bytes` the datagram's own bytes begin and end. */
  start = 0;
  end = 0;
  /** Bytes of the whole datagram, cuts included. */
  length = 0;
  /** Whether the datagram must be sent alone and not be fragmented or segmented: a path probe. */
  probe = false;

  /** Cuts: page bytes that stand before `bytes[cutAt]`, in order. */
  cuts = 0;
  readonly cutAt = new Uint32Array(FRAGMENTS_MAX);
  readonly cutPfn = new Uint32Array(FRAGMENTS_MAX);
  readonly cutOffset = new Uint16Array(FRAGMENTS_MAX);
  readonly cutLength = new Uint16Array(FRAGMENTS_MAX);

  #limit = 0;

  /** @param bytes a buffer of the driver's, at a stable address if it gathers by address */
  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  /** Begins a datagram of at most `limit` bytes at `start`; there must be as many in the buffer. */
  begin(start: number, limit: number): void {
    this.start = start;
    this.end = start;
    this.length = 0;
    this.cuts = 0;
    this.probe = false;
    this.#limit = limit;
  }

  /** Bytes that still fit. */
  get room(): number {
    return this.#limit - this.length;
  }

  /** Takes `n` bytes of the buffer. @returns where they begin */
  take(n: number): number {
    const at = this.end;
    this.end += n;
    this.length += n;
    return at;
  }

  /** Page bytes follow what was written so far. */
  cut(pfn: number, offset: number, length: number): void {
    this.cutAt[this.cuts] = this.end;
    this.cutPfn[this.cuts] = pfn;
    this.cutOffset[this.cuts] = offset;
    this.cutLength[this.cuts] = length;
    this.cuts++;
    this.length += length;
  }
}
