/**
 * A child process that sends small Ethernet frames at a steady rate:
 *
 *   node frame-source.js INTERFACE DESTINATION-MAC SOURCE-MAC FRAMES RATE BYTES
 *
 * It runs inside the sender's namespace and sends from an AF_PACKET socket in batches (sendmmsg(2)), each
 * when its time has come, so that the bench and not the generator is the limit. The EtherType is 0x88B5, for
 * experiments (IEEE 802, 9.2.4): no protocol of the receiving kernel takes the frames, it only counts them.
 * Prints one line of JSON at the end: {"sent": frames that the socket took, "seconds": how long it took}.
 */
import {
  ENOBUFS,
  errno,
  interfaceIndex,
  libc,
  NativeStruct,
  nowNs,
  sharpenTimers,
  sysError,
} from '../../../src/sys/index.js';

const AF_PACKET = 17;
const SOCK_RAW = 3;
const SOCKADDR_LL_SIZE = 20;
const MMSGHDR_SIZE = 64;
const MSGHDR_IOV = 16;
const MSGHDR_IOVLEN = 24;
const MOST_PER_BATCH = 64;
const ETHERTYPE_EXPERIMENTAL = 0x88b5;
/** Bursts stay shorter than this, so that a queue is not filled by the generator's own clumsiness. */
const BATCH_NS = 100_000;

const [interfaceName, destination, sourceMac, framesText, rateText, bytesText] = process.argv.slice(2);
const frames = Number(framesText);
const rate = Number(rateText);
const bytes = Number(bytesText);
const batch = Math.max(1, Math.min(MOST_PER_BATCH, Math.floor((rate * BATCH_NS) / 1e9)));

/** The same frame many times in one system call. Holds what the kernel is given the addresses of. */
class FrameBatch {
  readonly #fd: number;
  readonly #frame: NativeStruct;
  readonly #iov = new NativeStruct(16);
  readonly #messages = new NativeStruct(MMSGHDR_SIZE * MOST_PER_BATCH);

  constructor(on: string, macs: readonly number[], frameBytes: number) {
    this.#fd = libc.socket(AF_PACKET, SOCK_RAW, 0);
    const address = new NativeStruct(SOCKADDR_LL_SIZE);
    address.view.setUint16(0, AF_PACKET, true);
    address.view.setInt32(4, interfaceIndex(on), true);
    if (this.#fd < 0 || libc.bind(this.#fd, address.address, SOCKADDR_LL_SIZE) < 0) {
      throw new Error(`no AF_PACKET socket on ${on}`);
    }
    this.#frame = new NativeStruct(frameBytes);
    for (const [i, mac] of macs.entries()) {
      for (let b = 0; b < 6; b++) this.#frame.bytes[i * 6 + b] = Math.floor(mac / 256 ** (5 - b)) % 256;
    }
    this.#frame.view.setUint16(12, ETHERTYPE_EXPERIMENTAL, false);
    this.#iov.setPointer(0, this.#frame.address);
    this.#iov.setPointer(8, frameBytes);
    for (let i = 0; i < MOST_PER_BATCH; i++) {
      this.#messages.setPointer(i * MMSGHDR_SIZE + MSGHDR_IOV, this.#iov.address);
      this.#messages.setPointer(i * MMSGHDR_SIZE + MSGHDR_IOVLEN, 1);
    }
  }

  /** @returns how many the socket took */
  send(count: number): number {
    const n = libc.sendmmsg(this.#fd, this.#messages.address, count, 0);
    if (n > 0) return n;
    // A full queue of the interface: that frame is gone, as any sender's would be.
    if (errno() === ENOBUFS) return 1;
    throw sysError('sendmmsg', errno());
  }
}

const source = new FrameBatch(interfaceName!, [Number(destination), Number(sourceMac)], bytes);
sharpenTimers();
const pause = new NativeStruct(16);
const startNs = nowNs();
let sent = 0;
while (sent < frames) {
  const waitNs = startNs + (sent * 1e9) / rate - nowNs();
  if (waitNs > 0) {
    pause.setPointer(8, Math.floor(waitNs));
    libc.ppoll(0, 0, pause.address, 0);
  }
  sent += source.send(Math.min(batch, frames - sent));
}
console.log(JSON.stringify({ sent, seconds: (nowNs() - startNs) / 1e9 }));
