/**
 * Many UDP datagrams by one system call: sendmmsg(2), recvmmsg(2), and where the kernel has them UDP_SEGMENT and
 * UDP_GRO, which pass up to 64 datagrams of one size as a single message. udp(7), Linux 4.18 and 5.0.
 *
 *   struct msghdr  { name u64, namelen u32, ·, iov u64, iovlen u64, control u64, controllen u64, flags i32, · }  56 bytes
 *   struct mmsghdr { msghdr, len u32, · }                                                                        64 bytes
 *   struct cmsghdr { len u64, level i32, type i32 } data
 *
 * Sockets are connected: no addresses are passed.
 */
import { EAGAIN, ECONNREFUSED, EINTR, EIO, ENOBUFS, sysError } from './errno.js';
import { errno, libc } from './libc.js';
import { NativeStruct } from './native-struct.js';
import { trySetOption } from './socket.js';

const SOL_IP = 0;
const IP_MTU_DISCOVER = 10;
const IP_PMTUDISC_PROBE = 3;
const SOL_UDP = 17;
const UDP_SEGMENT = 103;
const UDP_GRO = 104;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;

const IOVEC_SIZE = 16;
const MMSGHDR_SIZE = 64;
const HDR_IOV = 16;
const HDR_IOVLEN = 24;
const HDR_CONTROL = 32;
const HDR_CONTROLLEN = 40;
const HDR_LEN = 56;
const CMSG_LEVEL = 8;
const CMSG_TYPE = 12;
const CMSG_DATA = 16;
/** CMSG_LEN and CMSG_SPACE of a u16; room for any control message a receiver may get. */
const SEGMENT_CMSG_LEN = 18;
const SEGMENT_CMSG_SPACE = 24;
const CONTROL_SIZE = 64;

const MESSAGES = 64;
const IOVECS = 1024;
/** Datagrams of one segmented message (UDP_MAX_SEGMENTS), and its bytes: what fits an IPv4 packet. */
const SEGMENTS_MAX = 64;
const SEGMENTED_BYTES_MAX = 65_507;

/** Sets "don't fragment" and ignores what ICMP said of the path: sizes are found by probes alone. RFC 8899. */
export function probeOwnMtu(fd: number): void {
  trySetOption(fd, SOL_IP, IP_MTU_DISCOVER, IP_PMTUDISC_PROBE);
}

/** Gathers datagrams from pieces of memory and sends them with as few calls as can be. */
export class DatagramBatch {
  readonly #fd: number;
  readonly #headers = new NativeStruct(MESSAGES * MMSGHDR_SIZE);
  readonly #iovecs = new NativeStruct(IOVECS * IOVEC_SIZE);
  readonly #controls = new NativeStruct(MESSAGES * SEGMENT_CMSG_SPACE);
  #segmenting: boolean;
  /** Of the message in hand: its first vector, datagrams, bytes, and their size while they may still be joined. */
  #messages = 0;
  #first = 0;
  #vectors = 0;
  #datagrams = 0;
  #bytes = 0;
  #size = 0;
  #segmentBytes = 0;
  #datagramVectors = 0;
  #sent = 0;
  /** System calls, and messages the kernel refused for good (too large for the interface, no peer). */
  calls = 0;
  refused = 0;

  /** @param segment whether to try UDP_SEGMENT */
  constructor(fd: number, segment = true) {
    this.#fd = fd;
    this.#segmenting = segment && trySetOption(fd, SOL_UDP, UDP_SEGMENT, 0);
  }

  /** Whether several datagrams travel as one message. */
  get segmenting(): boolean {
    return this.#segmenting;
  }

  /** Whether another datagram of up to `pieces` pieces has room before `flush`. */
  hasRoom(pieces: number): boolean {
    return this.#messages + 1 < MESSAGES && this.#vectors + pieces <= IOVECS;
  }

  /** Whether messages wait that the socket had no room for. */
  get waiting(): boolean {
    return this.#sent < this.#messages || this.#datagrams > 0;
  }

  /** A piece of the datagram in hand; the memory must stay as it is until `flush` has taken it. */
  piece(address: number, length: number): void {
    const at = this.#vectors * IOVEC_SIZE;
    this.#iovecs.setPointer(at, address);
    this.#iovecs.setPointer(at + 8, length);
    this.#vectors++;
    this.#datagramVectors++;
  }

  /** The datagram in hand is complete. @param alone it must not be joined with others */
  endDatagram(length: number, alone = false): void {
    const joins =
      this.#segmenting &&
      !alone &&
      this.#datagrams > 0 &&
      this.#size > 0 &&
      length <= this.#size &&
      this.#datagrams < SEGMENTS_MAX &&
      this.#bytes + length <= SEGMENTED_BYTES_MAX;
    if (!joins) {
      this.#closeMessage(this.#vectors - this.#datagramVectors);
      this.#size = alone ? 0 : length;
    } else if (length < this.#size) this.#size = 0; // a shorter one can only be the last
    if (this.#datagrams === 0) this.#segmentBytes = length;
    this.#datagrams++;
    this.#bytes += length;
    this.#datagramVectors = 0;
  }

  /** Sends all. @returns false when the socket is full: call again when it is writable, before anything is added */
  flush(): boolean {
    this.#closeMessage(this.#vectors);
    while (this.#sent < this.#messages) {
      const at = this.#headers.address + this.#sent * MMSGHDR_SIZE;
      const n = libc.sendmmsg(this.#fd, at, this.#messages - this.#sent, MSG_DONTWAIT | MSG_NOSIGNAL);
      this.calls++;
      if (n > 0) {
        this.#sent += n;
        continue;
      }
      const e = errno();
      if (e === EAGAIN || e === ENOBUFS) return false;
      if (e === EINTR) continue;
      // A datagram is lost, as datagrams are: longer than the interface's MTU, nobody listening, no route.
      this.refused++;
      if (e === ECONNREFUSED && this.refused % 2 === 1) continue; // the error of an earlier one: this one may go
      if (e === EIO) this.#segmenting = false; // an interface without checksum offload
      this.#sent++;
    }
    this.#messages = 0;
    this.#sent = 0;
    this.#vectors = 0;
    this.#first = 0;
    return true;
  }

  #closeMessage(end: number): void {
    if (this.#datagrams === 0) return;
    const at = this.#messages * MMSGHDR_SIZE;
    const headers = this.#headers;
    headers.setPointer(at + HDR_IOV, this.#iovecs.address + this.#first * IOVEC_SIZE);
    headers.setPointer(at + HDR_IOVLEN, end - this.#first);
    if (this.#datagrams > 1) {
      const control = this.#messages * SEGMENT_CMSG_SPACE;
      this.#controls.setPointer(control, SEGMENT_CMSG_LEN);
      this.#controls.view.setInt32(control + CMSG_LEVEL, SOL_UDP, true);
      this.#controls.view.setInt32(control + CMSG_TYPE, UDP_SEGMENT, true);
      this.#controls.view.setUint16(control + CMSG_DATA, this.#segmentBytes, true);
      headers.setPointer(at + HDR_CONTROL, this.#controls.address + control);
      headers.setPointer(at + HDR_CONTROLLEN, SEGMENT_CMSG_SPACE);
    } else {
      headers.setPointer(at + HDR_CONTROL, 0);
      headers.setPointer(at + HDR_CONTROLLEN, 0);
    }
    this.#messages++;
    this.#first = end;
    this.#datagrams = 0;
    this.#bytes = 0;
    this.#size = 0;
  }
}

const RECEIVE_MESSAGES = 16;
const RECEIVE_BYTES = 65_536;

/** Receives datagrams in bulk; joined ones (UDP_GRO) are told apart by `segmentBytes`. */
export class DatagramReceiver {
  readonly #fd: number;
  readonly #headers = new NativeStruct(RECEIVE_MESSAGES * MMSGHDR_SIZE);
  readonly #iovecs = new NativeStruct(RECEIVE_MESSAGES * IOVEC_SIZE);
  readonly #controls = new NativeStruct(RECEIVE_MESSAGES * CONTROL_SIZE);
  readonly #buffer = new NativeStruct(RECEIVE_MESSAGES * RECEIVE_BYTES);
  readonly joining: boolean;
  calls = 0;

  /** @param join whether to try UDP_GRO */
  constructor(fd: number, join = true) {
    this.#fd = fd;
    this.joining = join && trySetOption(fd, SOL_UDP, UDP_GRO, 1);
    for (let i = 0; i < RECEIVE_MESSAGES; i++) {
      this.#iovecs.setPointer(i * IOVEC_SIZE, this.#buffer.address + i * RECEIVE_BYTES);
      this.#iovecs.setPointer(i * IOVEC_SIZE + 8, RECEIVE_BYTES);
      this.#headers.setPointer(i * MMSGHDR_SIZE + HDR_IOV, this.#iovecs.address + i * IOVEC_SIZE);
      this.#headers.setPointer(i * MMSGHDR_SIZE + HDR_IOVLEN, 1);
      this.#headers.setPointer(i * MMSGHDR_SIZE + HDR_CONTROL, this.#controls.address + i * CONTROL_SIZE);
    }
  }

  /** Where messages lie: message `i` begins at `offset(i)`. Valid until the next `receive`. */
  get place(): { readonly bytes: Uint8Array; readonly address: number } {
    return this.#buffer;
  }

  get bytes(): Uint8Array {
    return this.#buffer.bytes;
  }

  get view(): DataView {
    return this.#buffer.view;
  }

  /** Messages this call can bring at most. */
  static readonly MESSAGES = RECEIVE_MESSAGES;

  /** Takes what has come. @returns messages, 0 when nothing waits */
  receive(): number {
    for (let i = 0; i < RECEIVE_MESSAGES; i++)
      this.#headers.setPointer(i * MMSGHDR_SIZE + HDR_CONTROLLEN, CONTROL_SIZE);
    const n = libc.recvmmsg(this.#fd, this.#headers.address, RECEIVE_MESSAGES, MSG_DONTWAIT, 0);
    this.calls++;
    if (n >= 0) return n;
    const e = errno();
    if (e === EAGAIN || e === EINTR || e === ECONNREFUSED) return 0;
    throw sysError('recvmmsg', e);
  }

  offset(i: number): number {
    return i * RECEIVE_BYTES;
  }

  length(i: number): number {
    return this.#headers.view.getUint32(i * MMSGHDR_SIZE + HDR_LEN, true);
  }

  /** Bytes of each datagram of message `i` but the last, which may be shorter. */
  segmentBytes(i: number): number {
    const length = this.length(i);
    const controlLength = this.#headers.getPointer(i * MMSGHDR_SIZE + HDR_CONTROLLEN);
    const at = i * CONTROL_SIZE;
    if (controlLength < CMSG_DATA + 4) return length;
    const view = this.#controls.view;
    const gro =
      view.getInt32(at + CMSG_LEVEL, true) === SOL_UDP && view.getInt32(at + CMSG_TYPE, true) === UDP_GRO;
    const size = gro ? view.getInt32(at + CMSG_DATA, true) : length;
    return size > 0 ? size : length;
  }
}
