/** What waits to be sent on a link, and how it is cut into segments: an item may end in any of them. */
import { Ring } from '../core/index.js';
import { PACKET_PAYLOAD_BYTES, type Segment } from './link-frames.js';

export class LinkQueue {
  readonly #items = new Ring<{ readonly bytes: number; readonly item: unknown }>();
  #bytes = 0;
  /** Bytes of the first item that earlier segments have taken. */
  #headTaken = 0;
  #nextSeq = 0;

  get bytes(): number {
    return this.#bytes;
  }

  push(bytes: number, item: unknown): void {
    this.#items.push({ bytes, item });
    this.#bytes += bytes;
  }

  /** The next segment, of `most` bytes at most. The queue is not empty. */
  cut(most: number): Segment {
    const ends: unknown[] = [];
    let bytes = 0;
    while (bytes < most && this.#bytes > 0) {
      const head = this.#items.peek()!;
      const take = Math.min(head.bytes - this.#headTaken, most - bytes);
      bytes += take;
      this.#headTaken += take;
      this.#bytes -= take;
      if (this.#headTaken < head.bytes) break;
      ends.push(head.item);
      this.#items.shift();
      this.#headTaken = 0;
    }
    return { seq: this.#nextSeq++, bytes, packets: Math.ceil(bytes / PACKET_PAYLOAD_BYTES), ends };
  }
}
