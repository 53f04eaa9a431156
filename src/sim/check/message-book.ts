/** Messages by number, each as its receiver decodes it. Messages that differ in times or words only are one. */
import { decodeMessage, encodeMessage, LENGTH_BYTES, type Message } from '../../vmotion-protocol/index.js';
import { fingerprint } from './fingerprint.js';

export class MessageBook {
  /** From 1: number 0 is no message. */
  readonly #messages: (Message | null)[] = [null];
  readonly #ids = new Map<string, number>();

  /** @throws Error when the message does not survive its own codec */
  enter(message: Message): number {
    const text = fingerprint(message);
    let id = this.#ids.get(text);
    if (id === undefined) {
      const decoded = decodeMessage(encodeMessage(message).subarray(LENGTH_BYTES));
      if (!decoded.ok) throw new Error(`${message.type} cannot be decoded: ${decoded.text}`);
      id = this.#messages.length;
      this.#messages.push(decoded.message);
      this.#ids.set(text, id);
    }
    return id;
  }

  get(id: number): Message {
    return this.#messages[id]!;
  }
}
