/** Datagrams within one thread, for the rehearsal: what is sent at one end comes at the other, in order, or not at all. */
import { DatagramPlan } from '../vmotion-protocol/index.js';
import { type DatagramSink, type DatagramWire, regionOf } from '../vmotion-protocol/transport/index.js';

const DATAGRAM_BYTES = 1472;
/** Datagrams on their way at most; one more is lost. */
const CAPACITY = 256;

export class MemoryWire implements DatagramWire {
  readonly maxDatagramBytes = DATAGRAM_BYTES;
  readonly flat = true;
  readonly at = 0;
  readonly plan = new DatagramPlan(new Uint8Array(DATAGRAM_BYTES));
  readonly #bytes = new Uint8Array(CAPACITY * DATAGRAM_BYTES);
  readonly #view = new DataView(this.#bytes.buffer);
  readonly #place = regionOf(this.#bytes);
  readonly #lengths = new Uint16Array(CAPACITY);
  #head = 0;
  #tail = 0;
  #peer: MemoryWire = this;

  /** Two ends of one wire. */
  static pair(): readonly [MemoryWire, MemoryWire] {
    const [a, b] = [new MemoryWire(), new MemoryWire()];
    a.#peer = b;
    b.#peer = a;
    return [a, b];
  }

  push(): void {
    const { bytes, start, end } = this.plan;
    const to = this.#peer;
    if (to.#tail - to.#head === CAPACITY) return;
    const slot = to.#tail++ % CAPACITY;
    to.#bytes.set(bytes.subarray(start, end), slot * DATAGRAM_BYTES);
    to.#lengths[slot] = end - start;
  }

  flush(): void {}

  takeIn(sink: DatagramSink): void {
    for (const end = this.#tail; this.#head < end; this.#head++) {
      const slot = this.#head % CAPACITY;
      sink(this.#bytes, this.#view, slot * DATAGRAM_BYTES, this.#lengths[slot]!, this.#place);
    }
  }

  nextWakeNs(): number {
    return Number.POSITIVE_INFINITY;
  }

  close(): void {}
}
