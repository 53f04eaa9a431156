/**
 * Code that V8 has not compiled yet releases frames some 15 µs late, compiled code 2 µs. So before the fabric takes
 * its first frame it carries some thousands of its own, on an engine and ports that are thrown away: two that speak
 * datagrams, and two packet ports whose kernel's end is a pair of sockets. Through these go super-frames too, which the
 * fiber cuts: else that is compiled in the first quarter of a second of every stream, on both cores of a small machine.
 */
import { CSUM_NEEDED, GSO_TCPV4, GSO_UDP_L4 } from '../core/index.js';
import { resolveFiber } from '../fiber/index.js';
import {
  ETH_HEADER_BYTES,
  ETHERTYPE_IPV4,
  IPV4_HEADER_BYTES,
  writeEthernet,
  writeIpv4,
} from '../l2/index.js';
import { openNioUdpPair } from '../l2/ports/index.js';
import {
  addressOf,
  closeFd,
  compilingEarly,
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
const PASSES = 2;
/** However slow the machine is, it does not wait longer than this. */
const LIMIT_NS = 500_000_000;
const FRAME_BYTES = 98;
const BUFFER_BYTES = 1 << 20;
const LOOPBACK = 0x7f000001;
/** Slow enough that a super-frame is cut. */
const RATE_BPS = 4e9;
/** So many small frames come to one long one. */
const SUPER_EVERY = 16;
const LOCAL_MAC = 0x020000000000;
const FIRST_IP = 0x0a50ff00;
/** IEEE 802, local experiments. */
const ETHERTYPE_EXPERIMENT = 0x88b5;
const TCP_SUPER = {
  protocol: 6,
  headerBytes: 20,
  csumOffset: 16,
  gsoType: GSO_TCPV4,
  gsoSize: 1448,
  packets: 45,
};
const UDP_SUPER = {
  protocol: 17,
  headerBytes: 8,
  csumOffset: 6,
  gsoType: GSO_UDP_L4,
  gsoSize: 1472,
  packets: 44,
};

/** The end of a scratch port that is not the fabric's. */
interface FarEnd {
  readonly fd: number;
  /** Frames to the station at the other site on the same kind of port, with what stands before them there. */
  readonly messages: readonly Region[];
}

interface Region {
  readonly address: number;
  readonly length: number;
}

/** Runs frames both ways through scratch engines: what V8 has compiled for one alone does not hold for the next. */
export function warmUp(seed: string): void {
  compilingEarly(() => {
    for (let pass = 0; pass < PASSES; pass++) runFrames(seed, nowNs() + LIMIT_NS / PASSES);
  });
}

function runFrames(seed: string, untilNs: number): void {
  const bell = new Doorbell();
  const fiber = resolveFiber({ distanceM: 200, rateBps: RATE_BPS });
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
    ends.push({ fd: udp.farFd, messages: [small(0, 1 + i, 2 - i)] });
    const [near, far] = openDatagramPair(BUFFER_BYTES);
    names.push(add('packet', site, near));
    const [from, to] = [3 + i, 4 - i];
    const long = [TCP_SUPER, UDP_SUPER].map((kind) => superFrame(kind, from, to));
    ends.push({ fd: far, messages: [small(VNET_HDR_SIZE, from, to), ...long] });
  }
  const sink = new Uint8Array(new ArrayBuffer(2048));
  const sinkAddress = addressOf(sink);
  for (let i = 0; i < FRAMES / PASSES && nowNs() < untilNs; i++) {
    const { fd, messages } = ends[i & 3]!;
    const turn = i >> 2;
    const kind = turn % SUPER_EVERY === 0 ? (turn / SUPER_EVERY) % messages.length : 0;
    sendBytes(fd, messages[kind]!.address, messages[kind]!.length);
    engine.turn(() => []);
    for (const end of ends) while (receiveBytes(end.fd, sinkAddress, sink.length) >= 0);
  }
  for (const name of names) engine.handle({ type: 'remove-port', id: 0, name });
  for (const { fd } of ends) closeFd(fd);
  bell.close();
}

function small(headerBytes: number, from: number, to: number): Region {
  const message = newMessage(headerBytes + FRAME_BYTES);
  writeEthernet(message.bytes, headerBytes, LOCAL_MAC + to, LOCAL_MAC + from, ETHERTYPE_EXPERIMENT);
  return message;
}

/** Headers for `packets` full packets, and their payload behind them. virtio 1.2, section 5.1.6 */
function superFrame(kind: typeof TCP_SUPER, from: number, to: number): Region {
  const transport = ETH_HEADER_BYTES + IPV4_HEADER_BYTES;
  const payloadBytes = kind.packets * kind.gsoSize;
  const message = newMessage(VNET_HDR_SIZE + transport + kind.headerBytes + payloadBytes);
  const { bytes } = message;
  const view = new DataView(bytes.buffer);
  const vnet = [transport + kind.headerBytes, kind.gsoSize, transport, kind.csumOffset];
  view.setUint8(0, CSUM_NEEDED);
  view.setUint8(1, kind.gsoType);
  for (const [i, value] of vnet.entries()) view.setUint16(2 + 2 * i, value, true);
  writeEthernet(bytes, VNET_HDR_SIZE, LOCAL_MAC + to, LOCAL_MAC + from, ETHERTYPE_IPV4);
  const ip = VNET_HDR_SIZE + ETH_HEADER_BYTES;
  writeIpv4(bytes, ip, FIRST_IP + from, FIRST_IP + to, kind.protocol, from, kind.headerBytes + payloadBytes);
  if (kind === TCP_SUPER)
    bytes[VNET_HDR_SIZE + transport + 12] = 0x50; // a header of 20 bytes
  else view.setUint16(VNET_HDR_SIZE + transport + 4, kind.headerBytes + payloadBytes);
  return message;
}

function newMessage(length: number): Region & { readonly bytes: Uint8Array } {
  const bytes = new Uint8Array(new ArrayBuffer(Math.max(256, length)));
  return { bytes, address: addressOf(bytes), length };
}
