/** Links within one thread, for the rehearsal: what is sent on one end is received at the other. */
import { type Chain, type Link, type LinkPoller, newRegion } from '../vmotion-protocol/transport/index.js';

/** Bytes under way in one direction at most. */
const CAPACITY = 1 << 17;

/** One direction: a ring of bytes. */
class Pipe {
  readonly bytes = newRegion(CAPACITY).bytes;
  head = 0;
  tail = 0;
  closed = false;
}

export class MemoryLink implements Link {
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

/** Both sides' poller: what one connects, the other accepts. */
export class MemoryLinks implements LinkPoller {
  readonly #waiting: Link[] = [];

  connect(): Link {
    const there = new Pipe();
    const back = new Pipe();
    this.#waiting.push(new MemoryLink(back, there));
    return new MemoryLink(there, back);
  }

  accept(): Link | null {
    return this.#waiting.shift() ?? null;
  }

  takeIn(): void {}
  flush(): void {}

  nextWakeNs(): number {
    return Number.POSITIVE_INFINITY;
  }

  wantWrite(): void {}
  close(): void {}
}
