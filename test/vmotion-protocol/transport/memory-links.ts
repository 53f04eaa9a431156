/** Links through memory, for tests: bytes wait in queues of a stated size and may be changed, cut or recorded on the way. */
import type { Chain, Link, LinkPoller } from '../../../src/vmotion-protocol/transport/index.js';

class Pipe {
  readonly chunks: number[] = [];
  ended = false;
}

export class MemoryLink implements Link {
  readonly #out: Pipe;
  readonly #in: Pipe;
  readonly #network: MemoryNetwork;
  closed = false;

  constructor(network: MemoryNetwork, out: Pipe, into: Pipe) {
    this.#network = network;
    this.#out = out;
    this.#in = into;
  }

  send(chain: Chain): boolean {
    if (this.closed || this.#in.ended) return false;
    while (chain.bytes > 0 && this.#out.chunks.length < this.#network.capacity) {
      const n = Math.min(chain.length(0), this.#network.capacity - this.#out.chunks.length);
      const at = chain.offset(0);
      for (let i = 0; i < n; i++) {
        const byte = chain.region(0).bytes[at + i]!;
        this.#out.chunks.push(this.#network.alter(this.#network.carried++, byte));
      }
      chain.drop(n);
    }
    return true;
  }

  receive(chain: Chain): number {
    let moved = 0;
    while (chain.bytes > 0 && this.#in.chunks.length > 0) {
      const n = Math.min(chain.length(0), this.#in.chunks.length, this.#network.cut());
      chain.region(0).bytes.set(this.#in.chunks.splice(0, n), chain.offset(0));
      chain.drop(n);
      moved += n;
    }
    return moved > 0 ? moved : this.#in.ended ? -1 : 0;
  }

  writable(): boolean {
    return this.#out.chunks.length < this.#network.capacity;
  }

  close(): void {
    this.closed = true;
    this.#out.ended = true;
  }
}

/** Two hosts and what lies between them. */
export class MemoryNetwork {
  /** Bytes carried so far, both ways. */
  carried = 0;
  capacity = 1 << 16;
  /** Changes the nth byte. */
  alter: (nth: number, byte: number) => number = (_, byte) => byte;
  /** How many bytes one receive moves at most. */
  cut: () => number = () => 1 << 16;
  readonly a = new MemoryLinks(this);
  readonly b = new MemoryLinks(this);

  /** A link between both, from `from`; the other end waits to be accepted. */
  connect(from: MemoryLinks): MemoryLink {
    const there = new Pipe();
    const back = new Pipe();
    const far = from === this.a ? this.b : this.a;
    far.waiting.push(new MemoryLink(this, back, there));
    return new MemoryLink(this, there, back);
  }
}

export class MemoryLinks implements LinkPoller {
  readonly waiting: MemoryLink[] = [];
  readonly #network: MemoryNetwork;

  constructor(network: MemoryNetwork) {
    this.#network = network;
  }

  connect(): Link {
    return this.#network.connect(this);
  }

  accept(): Link | null {
    return this.waiting.shift() ?? null;
  }

  takeIn(): void {}
  flush(): void {}
  wantWrite(): void {}
  close(): void {}

  nextWakeNs(): number {
    return Number.POSITIVE_INFINITY;
  }
}
