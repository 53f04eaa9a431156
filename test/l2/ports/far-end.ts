/** The other end of a port under test: what a kernel, a switch or another program would be. */
import { closeFd, libc, NativeStruct, POLLIN, PollSet, VNET_HDR_SIZE } from '../../../src/sys/index.js';

/** How long an answer of this machine may take before it counts as none. */
const PATIENCE_NS = 200e6;
/** IEEE's EtherType for local experiments: tells a test's frames from what kernels say by themselves. */
export const TEST_ETHERTYPE = 0x88b5;

/** What a test sees of a frame. */
export interface Seen {
  readonly bytes: Uint8Array;
  /** The virtio header, where the wire has one. */
  readonly header: Uint8Array;
}

/** A descriptor that takes and gives one frame a call, behind a prefix. */
export class FarEnd {
  readonly fd: number;
  readonly #sendFd: number;
  readonly #prefix: Uint8Array;
  readonly #buffer = new NativeStruct(70_000);
  readonly #polls = new PollSet(1);

  /**
   * @param prefix what stands before each frame sent; as many bytes are taken off each frame received
   * @param sendFd where frames are sent, if not to `fd`
   */
  constructor(fd: number, prefix: Uint8Array, sendFd = fd) {
    this.fd = fd;
    this.#sendFd = sendFd;
    this.#prefix = prefix;
    this.#polls.add(fd, POLLIN);
  }

  static withVirtioHeader(fd: number): FarEnd {
    return new FarEnd(fd, new Uint8Array(VNET_HDR_SIZE));
  }

  /** False when the kernel refuses it; the caller then expects nothing. */
  send(frame: Uint8Array, prefix = this.#prefix): boolean {
    this.#buffer.bytes.set(prefix);
    this.#buffer.bytes.set(frame, prefix.length);
    const n = libc.write(this.#sendFd, this.#buffer.address, prefix.length + frame.length);
    return n >= 0;
  }

  /** The next frame; null when none comes. */
  receive(patienceNs = PATIENCE_NS): Seen | null {
    for (;;) {
      const n = libc.read(this.fd, this.#buffer.address, 70_000);
      const at = this.#prefix.length;
      if (n >= 0) {
        return { bytes: this.#buffer.bytes.slice(at, n), header: this.#buffer.bytes.slice(0, at) };
      }
      if (this.#polls.wait(patienceNs) === 0) return null;
    }
  }

  /** Every frame of ours that comes, until `count` of them or silence. */
  receiveOurs(count: number): Seen[] {
    const seen: Seen[] = [];
    while (seen.length < count) {
      const next = this.receive();
      if (next === null) break;
      if (isOurs(next.bytes)) seen.push(next);
    }
    return seen;
  }

  close(): void {
    closeFd(this.fd);
    if (this.#sendFd !== this.fd) closeFd(this.#sendFd);
  }
}

const SRC = [0x02, 0x4c, 0x48, 0, 0, 0x01];

/** Frames shorter than an Ethernet header are ours when all their bytes say so. */
export function isOurs(bytes: Uint8Array): boolean {
  const from = Math.min(6, bytes.length);
  for (let i = from; i < Math.min(12, bytes.length); i++) if (bytes[i] !== SRC[i - 6]) return false;
  return true;
}

/** A broadcast frame of any length whose content follows from `seed`. */
export function testFrame(length: number, seed = length): Uint8Array {
  const b = new Uint8Array(length);
  for (let i = 0; i < length; i++)
    b[i] = i < 6 ? 0xff : i < 12 ? SRC[i - 6]! : (i * 7 + seed * 13 + (i >> 8)) & 0xff;
  if (length >= 14) {
    b[12] = TEST_ETHERTYPE >> 8;
    b[13] = TEST_ETHERTYPE & 0xff;
  }
  if (length >= 18) {
    b[14] = seed >> 24;
    b[15] = seed >> 16;
    b[16] = seed >> 8;
    b[17] = seed;
  }
  return b;
}

/** The seed that a frame of at least 18 bytes was made from. */
export function seedOf(b: Uint8Array): number {
  return ((b[14]! << 24) | (b[15]! << 16) | (b[16]! << 8) | b[17]!) >>> 0;
}
