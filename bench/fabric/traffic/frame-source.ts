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
import { interfaceIndex, libc, NativeStruct, nowNs, sharpenTimers } from '../../../src/sys/index.js';

const AF_PACKET = 17;
const SOCK_RAW = 3;
const SOCKADDR_LL_SIZE = 20;
const MMSGHDR_SIZE = 64;
const MSGHDR_IOV = 16;
const MSGHDR_IOVLEN = 24;
const MOST_PER_BATCH = 64;
/** Bursts stay shorter than this, so that a queue is not filled by the generator's own clumsiness. */
const BATCH_NS = 100_000;

const [interfaceName, destination, source, framesText, rateText, bytesText] = process.argv.slice(2);
const frames = Number(framesText);
const rate = Number(rateText);
const bytes = Number(bytesText);
const batch = Math.max(1, Math.min(MOST_PER_BATCH, Math.floor((rate * BATCH_NS) / 1e9)));

const fd = libc.socket(AF_PACKET, SOCK_RAW, 0);
const address = new NativeStruct(SOCKADDR_LL_SIZE);
address.view.setUint16(0, AF_PACKET, true);
address.view.setInt32(4, interfaceIndex(interfaceName!), true);
if (fd < 0 || libc.bind(fd, address.address, SOCKADDR_LL_SIZE) < 0) {
  throw new Error(`no AF_PACKET socket on ${interfaceName}`);
}

const frame = new NativeStruct(Math.max(64, bytes));
for (const [i, mac] of [destination, source].entries()) {
  for (let b = 0; b < 6; b++) frame.bytes[i * 6 + b] = Math.floor(Number(mac) / 256 ** (5 - b)) % 256;
}
frame.view.setUint16(12, 0x88b5, false);
const iov = new NativeStruct(16);
iov.view.setBigUint64(0, BigInt(frame.address), true);
iov.view.setBigUint64(8, BigInt(bytes), true);
const messages = new NativeStruct(MMSGHDR_SIZE * MOST_PER_BATCH);
for (let i = 0; i < MOST_PER_BATCH; i++) {
  messages.view.setBigUint64(i * MMSGHDR_SIZE + MSGHDR_IOV, BigInt(iov.address), true);
  messages.view.setBigUint64(i * MMSGHDR_SIZE + MSGHDR_IOVLEN, 1n, true);
}

sharpenTimers();
const pause = new NativeStruct(16);
const startNs = nowNs();
let sent = 0;
while (sent < frames) {
  const waitNs = startNs + (sent * 1e9) / rate - nowNs();
  if (waitNs > 0) {
    pause.view.setBigInt64(8, BigInt(Math.floor(waitNs)), true);
    libc.ppoll(0, 0, pause.address, 0);
  }
  const n = libc.sendmmsg(fd, messages.address, Math.min(batch, frames - sent), 0);
  // A full queue of the interface refuses (ENOBUFS): those frames are gone, as any sender's would be.
  sent += Math.max(1, n);
}
console.log(JSON.stringify({ sent, seconds: (nowNs() - startNs) / 1e9 }));
