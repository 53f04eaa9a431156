/**
 * What has been sent and not yet settled: a ring of packets by number, and a ring of the fragments each carried, so
 * that a lost packet's content (not its bytes) can be ordered anew. Columns, not objects: nothing is allocated a packet.
 *
 *   first ───────────────────────────────── next            (packet numbers)
 *     │ flying · acked · lost · flying …     │
 *     └─► fragments of each: kind, subject (pfn or stream offset), version, offset, length
 */
export const SETTLED = 0;
export const FLYING = 1;
export const LOST = 2;

/** Most fragments one packet carries; the packet is full then. */
export const FRAGMENTS_MAX = 8;

export class SentPackets {
  readonly capacity: number;
  readonly #fragmentMask: number;

  readonly state: Uint8Array;
  readonly wireBytes: Uint16Array;
  readonly sentNs: Float64Array;
  /** Of the path when it was sent: see delivery-rate.ts. */
  readonly deliveredBytes: Float64Array;
  readonly deliveredNs: Float64Array;
  readonly firstSentNs: Float64Array;
  readonly appLimited: Uint8Array;
  /** Datagram bytes of a path probe; 0 for any other packet. */
  readonly probeBytes: Uint16Array;
  readonly #fragmentFirst: Float64Array;
  readonly #fragmentCount: Uint8Array;

  readonly kind: Uint8Array;
  readonly subject: Float64Array;
  readonly version: Uint32Array;
  readonly offset: Uint16Array;
  readonly length: Uint16Array;
  #fragmentNext = 0;

  /** The oldest packet that may still fly, and the number the next one gets. */
  first = 0;
  next = 0;
  inflightBytes = 0;
  inflightPackets = 0;

  /** @param capacityMin packets; rounded up to a power of two */
  constructor(capacityMin: number) {
    this.capacity = 2 ** Math.ceil(Math.log2(capacityMin));
    const fragments = this.capacity * 4;
    this.#fragmentMask = fragments - 1;
    this.state = new Uint8Array(this.capacity);
    this.wireBytes = new Uint16Array(this.capacity);
    this.sentNs = new Float64Array(this.capacity);
    this.deliveredBytes = new Float64Array(this.capacity);
    this.deliveredNs = new Float64Array(this.capacity);
    this.firstSentNs = new Float64Array(this.capacity);
    this.appLimited = new Uint8Array(this.capacity);
    this.probeBytes = new Uint16Array(this.capacity);
    this.#fragmentFirst = new Float64Array(this.capacity);
    this.#fragmentCount = new Uint8Array(this.capacity);
    this.kind = new Uint8Array(fragments);
    this.subject = new Float64Array(fragments);
    this.version = new Uint32Array(fragments);
    this.offset = new Uint16Array(fragments);
    this.length = new Uint16Array(fragments);
  }

  /** Where a packet's columns are. */
  slot(number: number): number {
    return number % this.capacity; // not a mask: numbers pass 2^31
  }

  /** Whether another packet with all its fragments has room: half the ring is left to what settles late. */
  get room(): boolean {
    if (this.next - this.first >= this.capacity / 2) return false;
    if (this.first === this.next) return true;
    const oldest = this.#fragmentFirst[this.slot(this.first)]!;
    return this.#fragmentNext - oldest + FRAGMENTS_MAX <= this.#fragmentMask;
  }

  /** Whether number is of a packet whose columns are still its own. */
  knows(number: number): boolean {
    return number < this.next && number >= this.next - this.capacity;
  }

  /** Begins the packet `next`. */
  begin(): void {
    const slot = this.slot(this.next);
    this.#fragmentFirst[slot] = this.#fragmentNext;
    this.#fragmentCount[slot] = 0;
    this.probeBytes[slot] = 0;
  }

  /** Notes a fragment of the packet in hand. */
  note(kind: number, subject: number, version: number, offset: number, length: number): void {
    const slot = this.slot(this.next);
    this.#fragmentCount[slot] = this.#fragmentCount[slot]! + 1;
    const f = this.#fragmentNext++ & this.#fragmentMask;
    this.kind[f] = kind;
    this.subject[f] = subject;
    this.version[f] = version;
    this.offset[f] = offset;
    this.length[f] = length;
  }

  /** Fragments of the packet in hand so far. */
  get noted(): number {
    return this.#fragmentCount[this.slot(this.next)]!;
  }

  fragments(number: number): number {
    return this.#fragmentCount[this.slot(number)]!;
  }

  /** Index of a packet's i-th fragment in the fragment columns. */
  fragment(number: number, i: number): number {
    return (this.#fragmentFirst[this.slot(number)]! + i) & this.#fragmentMask;
  }

  /** The packet in hand leaves and is to be acknowledged. */
  commit(nowNs: number, wireBytes: number): void {
    const slot = this.slot(this.next);
    this.state[slot] = FLYING;
    this.sentNs[slot] = nowNs;
    this.wireBytes[slot] = wireBytes;
    this.inflightBytes += wireBytes;
    this.inflightPackets++;
    this.next++;
  }

  /** The packet in hand leaves and nobody will miss it: acknowledgements, parity. */
  commitSettled(nowNs: number): void {
    const slot = this.slot(this.next);
    this.state[slot] = SETTLED;
    this.sentNs[slot] = nowNs;
    this.wireBytes[slot] = 0;
    if (this.first === this.next) this.first++;
    this.next++;
  }

  /** A flying packet is acknowledged (SETTLED) or given up (LOST). */
  settle(number: number, state: number): void {
    const slot = this.slot(number);
    this.state[slot] = state;
    this.inflightBytes -= this.wireBytes[slot]!;
    this.inflightPackets--;
  }

  /** Moves `first` over what is settled. Amortised O(1). */
  advance(): void {
    while (this.first < this.next && this.state[this.slot(this.first)] !== FLYING) this.first++;
  }
}
