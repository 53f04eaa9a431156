/**
 * What the sample captures show. Each scene is played on a stretch of 80 km in virtual time, so that it is the same
 * whenever it is made.
 */
import { type CaptureWriter, createCapture } from '../../src/capture/files/index.js';
import {
  announcementFrames,
  ETH_HEADER_BYTES,
  IPV4_HEADER_BYTES,
  parseIpv4,
  UDP_HEADER_BYTES,
  udpFrame,
  VXLAN_HEADER_BYTES,
  VXLAN_UDP_PORT,
  vxlanSourcePort,
  writeVxlan,
} from '../../src/l2/index.js';
import { Stretch } from './stretch.js';
import { answerOf, type Host, MAC, ping, Talk, whoHas } from './talking.js';

/** Monday, 2009-06-29 09:00 UTC: the week the experiment was shown. */
const EPOCH = { seconds: 1_246_266_000, nanoseconds: 0 };
const FIBER = { profile: 'metro-80km' };
const MS = 1_000_000;

const CLIENT_A: Host = { mac: MAC(0x101), ip: parseIpv4('10.80.0.101') };
const CLIENT_B: Host = { mac: MAC(0x102), ip: parseIpv4('10.80.0.102') };
const GUEST: Host = { mac: MAC(0x10), ip: parseIpv4('10.80.0.10') };
const VTEP_A: Host = { mac: MAC(0x201), ip: parseIpv4('192.0.2.1') };
const VTEP_B: Host = { mac: MAC(0x202), ip: parseIpv4('192.0.2.2') };

export interface Scene {
  readonly name: string;
  readonly play: (writer: CaptureWriter) => void;
}

export const SCENES: readonly Scene[] = [
  { name: 'arp-icmp', play: arpAndIcmp },
  { name: 'tcp-loss', play: tcpWithLoss },
  { name: 'vxlan', play: vxlanExchange },
  { name: 'switchover', play: switchover },
];

/** Writes one scene. */
export function writeScene(scene: Scene, path: string): void {
  const writer = createCapture(path, { epoch: EPOCH, comments: [`longhaul sample: ${scene.name}`] });
  scene.play(writer);
  writer.close();
}

/** A client at A asks for one at B and pings it three times. */
function arpAndIcmp(writer: CaptureWriter): void {
  const stretch = new Stretch(writer, FIBER, 'arp-icmp');
  const sendA = stretch.station('client-a0', 'a', 'client', () => {});
  const sendB = stretch.station('client-b0', 'b', 'client', (frame) => {
    const answer = answerOf(CLIENT_B, frame);
    if (answer !== null) sendB(answer);
  });
  stretch.at(0, () => sendA(whoHas(CLIENT_A, CLIENT_B.ip)));
  for (let seq = 1; seq <= 3; seq++) stretch.at(seq * 10 * MS, () => sendA(ping(CLIENT_A, CLIENT_B, seq)));
  stretch.run();
}

/** 24 KiB from B to A; the fiber loses the fourth full packet and the ninth. */
function tcpWithLoss(writer: CaptureWriter): void {
  const full = { fromNs: 0, untilNs: null, match: { minLength: 1000 }, count: 1 };
  const drops = [
    { ...full, nth: 4 },
    { ...full, nth: 9 },
  ];
  const stretch = new Stretch(writer, { ...FIBER, perDirection: { 'b-a': { drops } } }, 'tcp-loss');
  const talk = new Talk(stretch, CLIENT_A, CLIENT_B, [40_000, 5201]);
  join(stretch, talk, ['client-a0', 'client-b0']);
  stretch.at(0, () => talk.open());
  const bytes = Uint8Array.from({ length: 24 * 1024 }, (_, i) => i % 251);
  stretch.at(2 * MS, () => talk.write('server', bytes));
  stretch.at(500 * MS, () => talk.finish('server'));
  stretch.at(510 * MS, () => talk.finish('client'));
  stretch.run();
}

/** Puts both ends of a conversation on the stretch. */
function join(stretch: Stretch, talk: Talk, names: readonly [string, string]): void {
  const receive: ((frame: Uint8Array) => void)[] = [];
  const sendA = stretch.station(names[0], 'a', 'client', (frame) => receive[0]!(frame));
  const sendB = stretch.station(names[1], 'b', 'client', (frame) => receive[1]!(frame));
  receive.push(talk.attach('client', sendA), talk.attach('server', sendB));
}

/** ARP and a ping of two hosts in network 4242, between two tunnel ends. */
function vxlanExchange(writer: CaptureWriter): void {
  const stretch = new Stretch(writer, FIBER, 'vxlan');
  const sendA = stretch.station('vtep-a', 'a', 'client', () => {});
  const sendB = stretch.station('vtep-b', 'b', 'client', (outer) => {
    const inner = outer.subarray(
      ETH_HEADER_BYTES + IPV4_HEADER_BYTES + UDP_HEADER_BYTES + VXLAN_HEADER_BYTES,
    );
    const answer = answerOf(CLIENT_B, inner);
    if (answer !== null) sendB(tunnelled(VTEP_B, VTEP_A, answer, 0x800));
  });
  stretch.at(0, () => sendA(tunnelled(VTEP_A, VTEP_B, whoHas(CLIENT_A, CLIENT_B.ip), 1)));
  stretch.at(10 * MS, () => sendA(tunnelled(VTEP_A, VTEP_B, ping(CLIENT_A, CLIENT_B, 1), 2)));
  stretch.run();
}

function tunnelled(from: Host, to: Host, inner: Uint8Array, ipId: number): Uint8Array {
  const payload = new Uint8Array(VXLAN_HEADER_BYTES + inner.length);
  writeVxlan(payload, 0, 4242);
  payload.set(inner, VXLAN_HEADER_BYTES);
  return udpFrame(
    { srcMac: from.mac, dstMac: to.mac, srcIp: from.ip, dstIp: to.ip, ipId },
    vxlanSourcePort(inner, 0, inner.length),
    VXLAN_UDP_PORT,
    payload,
  );
}

/** A client at A pings the guest, which moves to B between two pings: the announcement turns the bridges. */
function switchover(writer: CaptureWriter): void {
  const stretch = new Stretch(writer, FIBER, 'switchover');
  let at: 'a' | 'b' = 'a';
  const sendClient = stretch.station('client-a0', 'a', 'client', () => {});
  const guest = (site: 'a' | 'b'): ((frame: Uint8Array) => void) => {
    const send = stretch.station(`guest-${site}`, site, 'guest', (frame) => {
      const answer = at === site ? answerOf(GUEST, frame) : null;
      if (answer !== null) send(answer);
    });
    return send;
  };
  const sends = { a: guest('a'), b: guest('b') };
  stretch.at(0, () => sendClient(whoHas(CLIENT_A, GUEST.ip)));
  for (let seq = 1; seq <= 4; seq++) stretch.at(seq * 10 * MS, () => sendClient(ping(CLIENT_A, GUEST, seq)));
  stretch.at(25 * MS, () => {
    stretch.event('COMMIT');
    at = 'b';
  });
  stretch.at(26 * MS, () => {
    stretch.event('RUNNING');
    for (const frame of announcementFrames(GUEST)) sends.b(frame);
  });
  stretch.run();
}
