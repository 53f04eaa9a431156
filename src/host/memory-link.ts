/** Links within one thread, for the rehearsal: what is sent on one end is received at the other, sealed if need be. */
import type { RecordSuite } from '../vmotion-protocol/index.js';
import {
  type Chain,
  type Link,
  type LinkBuffers,
  type LinkPoller,
  newRegion,
  SecureLink,
  sealPair,
} from '../vmotion-protocol/transport/index.js';

/** Bytes under way in one direction at most. */
const CAPACITY = 1 << 17;

/** One direction: a ring of bytes. */
class Pipe {
  readonly bytes = newRegion(CAPACITY).bytes;
  head = 0;
  tail = 0;
  closed = false;
}

class MemoryLink implements Link {
  readonly #out: Pipe;
  readonly #in: Pipe;

  constructor(out: Pipe, into: Pipe) {
    this.#out = out;
    this.#in = into;
  }

  send(chain: Chain): boolean {
    const pipe = this.#out;
    while (chain.bytes > 0 && pipe.tail - pipe.head < CAPACITY) {
      const at = pipe.tail % CAPACITY;
      const room = Math.min(CAPACITY - (pipe.tail - pipe.head), CAPACITY - at);
      const n = Math.min(room, chain.length(0));
      const from = chain.offset(0);
      pipe.bytes.set(chain.region(0).bytes.subarray(from, from + n), at);
      pipe.tail += n;
      chain.drop(n);
    }
    return true;
  }

  receive(chain: Chain): number {
    const pipe = this.#in;
    let moved = 0;
    while (chain.bytes > 0 && pipe.tail > pipe.head) {
      const at = pipe.head % CAPACITY;
      const n = Math.min(pipe.tail - pipe.head, CAPACITY - at, chain.length(0));
      chain.region(0).bytes.set(pipe.bytes.subarray(at, at + n), chain.offset(0));
      pipe.head += n;
      moved += n;
      chain.drop(n);
    }
    return moved === 0 && pipe.closed ? -1 : moved;
  }

  /** Whether bytes wait to be received. */
  get waits(): boolean {
    return this.#in.tail > this.#in.head;
  }

  writable(): boolean {
    return true;
  }

  close(): void {
    this.#out.closed = true;
  }
}

/** What seals the links, and outlives them. */
export interface Sealing {
  readonly suite: RecordSuite;
  readonly buffers: LinkBuffers;
}

/** Both sides' poller: what one connects, the other accepts. */
export class MemoryLinks implements LinkPoller {
  readonly #waiting: Link[] = [];
  readonly #sealing: Sealing | null;

  /** @param sealing seals every link; null leaves them in clear */
  constructor(sealing: Sealing | null = null) {
    this.#sealing = sealing;
  }

  connect(): Link {
    const there = new Pipe();
    const back = new Pipe();
    const ends = { near: new MemoryLink(there, back), far: new MemoryLink(back, there) };
    const sealing = this.#sealing;
    const { near, far } =
      sealing === null ? ends : sealPair(sealing.suite, sealing.buffers, ends.near, ends.far);
    this.#waiting.push(far);
    return near;
  }

  accept(): Link | null {
    return this.#waiting.shift() ?? null;
  }

  /** Whether bytes wait on a link of these. */
  waits(link: Link): boolean {
    return ((link instanceof SecureLink ? link.inner : link) as MemoryLink).waits;
  }

  takeIn(): void {}
  flush(): void {}

  nextWakeNs(): number {
    return Number.POSITIVE_INFINITY;
  }

  wantWrite(): void {}
  close(): void {}
}
