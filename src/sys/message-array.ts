/**
 * An array of `struct msghdr`, each with its own places, peer address and room for control messages:
 * what recvmsg(2) and sendmsg(2) take, laid out once and refilled for every batch.
 *
 *   struct msghdr (56 bytes): name u64 │ namelen u32 │ – │ iov u64 │ iovlen u64 │ control u64 │ controllen u64 │ flags i32
 *   struct iovec  (16 bytes): base u64 │ length u64
 *   struct cmsghdr (16 bytes): length u64 │ level i32 │ type i32, then data
 */
import { errno, libc } from './libc.js';
import { NativeStruct } from './native-struct.js';

const MSG_DONTWAIT = 0x40;
const MSGHDR_SIZE = 64;
const MSG_NAME = 0;
const MSG_NAMELEN = 8;
const MSG_IOV = 16;
const MSG_IOVLEN = 24;
const MSG_CONTROL = 32;
const MSG_CONTROLLEN = 40;
/** What follows the msghdr in a `struct mmsghdr`. */
const MMSGHDR_LEN = 56;
const IOVEC_SIZE = 16;
const PLACES = 2;
const NAME_SIZE = 16;
/** A time stamp (32 bytes) and the auxiliary data of a packet socket (40), with room to spare. */
const CONTROL_SIZE = 128;
const AF_INET = 2;
const CMSG_LEVEL = 8;
const CMSG_TYPE = 12;
const CMSG_DATA = 16;

export class MessageArray {
  readonly #headers: NativeStruct;
  readonly #places: NativeStruct;
  readonly #names: NativeStruct;
  readonly #controls: NativeStruct;
  /** Up to here messages may have been used since they were readied to receive. */
  #used: number;

  /** @param capacity messages; each has two places */
  constructor(capacity: number) {
    this.#used = capacity;
    this.#headers = new NativeStruct(capacity * MSGHDR_SIZE);
    this.#places = new NativeStruct(capacity * PLACES * IOVEC_SIZE);
    this.#names = new NativeStruct(capacity * NAME_SIZE);
    this.#controls = new NativeStruct(capacity * CONTROL_SIZE);
    for (let i = 0; i < capacity; i++) {
      this.#headers.setPointer(i * MSGHDR_SIZE + MSG_IOV, this.places(i));
      this.#headers.setPointer(i * MSGHDR_SIZE + MSG_IOVLEN, PLACES);
      // Of no length until someone asks for them.
      this.#headers.setPointer(i * MSGHDR_SIZE + MSG_NAME, this.#names.address + i * NAME_SIZE);
      this.#headers.setPointer(i * MSGHDR_SIZE + MSG_CONTROL, this.#controls.address + i * CONTROL_SIZE);
    }
  }

  /** Address of message `i`. */
  header(i: number): number {
    return this.#headers.address + i * MSGHDR_SIZE;
  }

  /** Address of message `i`'s two places, for readv(2). */
  places(i: number): number {
    return this.#places.address + i * PLACES * IOVEC_SIZE;
  }

  /** Sets place 0 or 1 of message `i`. */
  setPlace(i: number, place: number, address: number, length: number): void {
    const at = (i * PLACES + place) * IOVEC_SIZE;
    this.#places.setPointer(at, address);
    this.#places.setPointer(at + 8, length);
  }

  /** Readies message `i` to receive the sender's address and control messages. */
  expectAll(i: number): void {
    const at = i * MSGHDR_SIZE;
    this.#headers.view.setUint32(at + MSG_NAMELEN, NAME_SIZE, true);
    this.#headers.view.setUint32(at + MSG_CONTROLLEN, CONTROL_SIZE, true);
  }

  /**
   * Takes the messages that wait at a socket into the first `count`, by one recvmmsg(2).
   * @returns how many there were; -errno when there was none
   */
  receive(fd: number, count: number): number {
    const used = this.#used;
    for (let i = Math.min(count, used) - 1; i >= 0; i--) this.expectAll(i);
    const n = libc.recvmmsg(fd, this.#headers.address, count, MSG_DONTWAIT, 0);
    if (used <= count) this.#used = Math.max(0, n);
    return n < 0 ? -errno() : n;
  }

  /** Addresses message `i` to an IPv4 endpoint. */
  sendTo(i: number, ip: number, port: number): void {
    const name = i * NAME_SIZE;
    this.#names.view.setUint16(name, AF_INET, true);
    this.#names.view.setUint16(name + 2, port, false);
    this.#names.view.setUint32(name + 4, ip, false);
    this.#headers.view.setUint32(i * MSGHDR_SIZE + MSG_NAMELEN, NAME_SIZE, true);
  }

  /** The IPv4 address that received message `i` came from. */
  senderIp(i: number): number {
    return this.#names.view.getUint32(i * NAME_SIZE + 4, false);
  }

  /** The UDP port that received message `i` came from. */
  senderPort(i: number): number {
    return this.#names.view.getUint16(i * NAME_SIZE + 2, false);
  }

  /** Offset in `control` of the data of message `i`'s control message of this level and type; -1 when it has none. */
  controlAt(i: number, level: number, type: number): number {
    let at = i * CONTROL_SIZE;
    const end = at + this.#headers.getPointer(i * MSGHDR_SIZE + MSG_CONTROLLEN);
    const { view } = this.#controls;
    while (at + CMSG_DATA <= end) {
      if (view.getInt32(at + CMSG_LEVEL, true) === level && view.getInt32(at + CMSG_TYPE, true) === type) {
        return at + CMSG_DATA;
      }
      // Each begins at a multiple of eight; a length that is none ends the walk.
      const length = view.getUint32(at, true);
      if (length < CMSG_DATA) return -1;
      at += (length + 7) & ~7;
    }
    return -1;
  }

  /** Bytes that recvmmsg(2) received into message `i`: its places are as long as a `struct mmsghdr`. */
  receivedBytes(i: number): number {
    return this.#headers.view.getUint32(i * MSGHDR_SIZE + MMSGHDR_LEN, true);
  }

  /** The bytes that `controlAt` points into. */
  get control(): DataView {
    return this.#controls.view;
  }
}
