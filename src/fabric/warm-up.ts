/**
 * Code that V8 has not compiled yet releases frames some 15 µs late, compiled code 2 µs. So before the fabric takes
 * its first frame it carries some thousands of its own, on an engine and ports that are thrown away: two that speak
 * datagrams, and two packet ports whose kernel's end is a pair of sockets.
 */
import { resolveFiber } from '../fiber/index.js';
import { openNioUdpPair } from '../l2/ports/index.js';
import {
  addressOf,
  closeFd,
  connectUdp,
  Doorbell,
  nowNs,
  openDatagramPair,
  receiveBytes,
  sendBytes,
  VNET_HDR_SIZE,
} from '../sys/index.js';
import { Engine } from './engine.js';
import type { PortSpec, SiteName } from './messages.js';

const FRAMES = 40_000;
/** However slow the machine is, it does not wait longer than this. */
const LIMIT_NS = 500_000_000;
const FRAME_BYTES = 98;
const BUFFER_BYTES = 1 << 20;
const LOOPBACK = 0x7f000001;

/** The end of a scratch port that is not the fabric's. */
interface FarEnd {
  readonly fd: number;
  /** A frame to the station at the other site on the same kind of port, with what stands before it there. */
  readonly message: Uint8Array;
  readonly address: number;
}

/** Runs frames both ways through a scratch engine. */
export function warmUp(seed: string): void {
  const bell = new Doorbell();
  const fiber = resolveFiber({ distanceM: 200, rateBps: 10e9 });
  const engine = new Engine({ fiber, qos: 'guest-first', spin: 'deadline', seed }, bell.fd, () => {});
  const add = (kind: PortSpec['kind'], site: SiteName, fd: number): string => {
    const name = `${kind}-${site}`;
    engine.handle({ type: 'add-port', id: 0, port: { name, site, role: 'client', kind, fd } });
    return name;
  };
  const names: string[] = [];
  const ends: FarEnd[] = [];
  for (const [i, site] of (['a', 'b'] as const).entries()) {
    const udp = openNioUdpPair(BUFFER_BYTES);
    connectUdp(udp.farFd, { ip: LOOPBACK, port: udp.fabricPort });
    names.push(add('nio-udp', site, udp.fabricFd));
    ends.push(farEnd(udp.farFd, 0, 1 + i, 2 - i));
    const [near, far] = openDatagramPair(BUFFER_BYTES);
    names.push(add('packet', site, near));
    ends.push(farEnd(far, VNET_HDR_SIZE, 3 + i, 4 - i));
  }
  const sink = new Uint8Array(new ArrayBuffer(2048));
  const sinkAddress = addressOf(sink);
  const untilNs = nowNs() + LIMIT_NS;
  for (let i = 0; i < FRAMES && nowNs() < untilNs; i++) {
    const { fd, address, message } = ends[i & 3]!;
    sendBytes(fd, address, message.length);
    engine.turn(() => []);
    for (const end of ends) while (receiveBytes(end.fd, sinkAddress, sink.length) >= 0);
  }
  for (const name of names) engine.handle({ type: 'remove-port', id: 0, name });
  for (const { fd } of ends) closeFd(fd);
  bell.close();
}

function farEnd(fd: number, headerBytes: number, from: number, to: number): FarEnd {
  const store = new Uint8Array(new ArrayBuffer(256));
  const message = store.subarray(0, headerBytes + FRAME_BYTES);
  message.set([2, 0, 0, 0, 0, to, 2, 0, 0, 0, 0, from, 0x88, 0xb5], headerBytes);
  return { fd, message, address: addressOf(store) };
}
