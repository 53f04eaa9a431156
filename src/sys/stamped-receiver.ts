/**
 * Datagrams with the instant at which each reached this machine's kernel: SO_TIMESTAMPNS, many by one recvmmsg(2).
 * Whoever reads late still learns when they came. socket(7), recvmmsg(2)
 */
import { EAGAIN, ECONNREFUSED, EINTR, sysError } from './errno.js';
import { MessageArray } from './message-array.js';
import { NativeStruct } from './native-struct.js';
import { kernelArrivalNs } from './packet.js';
import { trySetOption } from './socket.js';

const SOL_SOCKET = 1;
const SO_TIMESTAMPNS = 35;

/** Lets the kernel stamp what this socket receives. @returns false where it cannot */
export function stampArrivals(fd: number): boolean {
  return trySetOption(fd, SOL_SOCKET, SO_TIMESTAMPNS, 1);
}

export class StampedReceiver {
  readonly #capacity: number;
  readonly #slotBytes: number;
  readonly #messages: MessageArray;
  readonly #store: NativeStruct;

  /** @param capacity datagrams of one call @param slotBytes the longest that is read whole */
  constructor(capacity: number, slotBytes: number) {
    this.#capacity = capacity;
    this.#slotBytes = slotBytes;
    this.#messages = new MessageArray(capacity);
    this.#store = new NativeStruct(capacity * slotBytes);
    for (let i = 0; i < capacity; i++) {
      this.#messages.setPlace(i, 0, this.#store.address + i * slotBytes, slotBytes);
    }
  }

  /** What was received, all slots one behind the other. */
  get bytes(): Uint8Array {
    return this.#store.bytes;
  }

  get view(): DataView {
    return this.#store.view;
  }

  /** Takes up to `limit` datagrams that wait. @returns how many there were */
  receive(fd: number, limit: number): number {
    const n = this.#messages.receive(fd, Math.min(limit, this.#capacity));
    if (n >= 0) return n;
    if (n === -EAGAIN || n === -EINTR || n === -ECONNREFUSED) return 0;
    throw sysError('recvmmsg', -n);
  }

  /** Where datagram `i` begins in `bytes`. */
  at(i: number): number {
    return i * this.#slotBytes;
  }

  length(i: number): number {
    return this.#messages.receivedBytes(i);
  }

  /** When it came, on CLOCK_MONOTONIC; 0 where the kernel does not say. */
  arrivedNs(i: number): number {
    return kernelArrivalNs(this.#messages, i);
  }
}
