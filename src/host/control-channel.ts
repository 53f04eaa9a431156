/** Control messages over a link: framing on the way out, any split on the way in, bounded both ways. */
import { encodeMessage, type Message, MessageReader } from '../vmotion-protocol/index.js';
import { Chain, type Link, type LinkPoller, newRegion } from '../vmotion-protocol/transport/index.js';

const RECEIVE_BYTES = 64 * 1024;

export class ControlChannel {
  readonly link: Link;
  readonly #poller: LinkPoller;
  readonly #out = new Chain();
  readonly #staging = newRegion(RECEIVE_BYTES);
  readonly #in = new Chain();
  readonly #reader = new MessageReader();
  #waiting = false;

  constructor(link: Link, poller: LinkPoller) {
    this.link = link;
    this.#poller = poller;
  }

  /** Bytes not yet taken by the link. */
  get backlog(): number {
    return this.#out.bytes;
  }

  /** Queues raw bytes (the preamble) or a message and sends what fits. @returns false when the link is broken */
  sendBytes(bytes: Uint8Array): boolean {
    const region = newRegion(bytes.length);
    region.bytes.set(bytes);
    this.#out.push(region, 0, bytes.length);
    return this.flush();
  }

  send(message: Message): boolean {
    return this.sendBytes(encodeMessage(message));
  }

  flush(): boolean {
    if (this.#out.bytes === 0) return true;
    const ok = this.link.send(this.#out);
    const waiting = this.#out.bytes > 0;
    if (ok && waiting !== this.#waiting) this.#poller.wantWrite(this.link, waiting);
    this.#waiting = waiting;
    return ok;
  }

  /**
   * Hands every message that has come to `onMessage`, in order.
   * @returns null, or why the channel is of no more use
   */
  receive(onMessage: (m: Message) => void): { readonly code: string; readonly text: string } | null {
    for (;;) {
      this.#in.clear();
      this.#in.push(this.#staging, 0, RECEIVE_BYTES);
      const n = this.link.receive(this.#in);
      if (n < 0) return { code: 'VMOTION_CONNECTION_LOST', text: 'the peer closed the control connection' };
      if (n === 0) return null;
      this.#reader.push(this.#staging.bytes.subarray(0, n));
      for (let next = this.#reader.next(); next !== null; next = this.#reader.next()) {
        if (!next.ok) return { code: next.code, text: next.text };
        onMessage(next.message);
      }
      if (n < RECEIVE_BYTES) return null;
    }
  }

  close(): void {
    this.link.close();
  }
}
