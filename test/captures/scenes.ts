/**
 * What the sample captures show. Each scene is played on a stretch of 80 km in virtual time, so that it is the same
 * whenever it is made.
 */
import { type CaptureWriter, createCapture } from '../../src/capture/files/index.js';
import { PAGE_SIZE, PageSet } from '../../src/core/index.js';
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
import {
  encodeMessage,
  encodePageSet,
  HEADER_BYTES,
  type Message,
  RECORD_DATA,
  RECORD_END,
  RECORD_ZERO,
  RUN_BYTES,
  writeRecordHeader,
  writeRun,
} from '../../src/vmotion-protocol/index.js';
import { encodePreamble } from '../../src/vmotion-protocol/transport/index.js';
import { Stretch } from './stretch.js';
import { answerOf, type Host, MAC, ping, Talk, whoHas } from './talking.js';

/** Monday, 2009-06-29 09:00 UTC: the week the experiment was shown. */
const EPOCH = { seconds: 1_246_266_000, nanoseconds: 0 };
const FIBER = { profile: 'metro-80km' };
const MS = 1_000_000;

const CLIENT_A: Host = { mac: MAC(0x101), ip: parseIpv4('10.80.0.101') };
const CLIENT_B: Host = { mac: MAC(0x102), ip: parseIpv4('10.80.0.102') };
const GUEST: Host = { mac: MAC(0x10), ip: parseIpv4('10.80.0.10') };
const VMK_A: Host = { mac: MAC(1), ip: parseIpv4('10.80.1.1') };
const VMK_B: Host = { mac: MAC(2), ip: parseIpv4('10.80.1.2') };
const VTEP_A: Host = { mac: MAC(0x201), ip: parseIpv4('192.0.2.1') };
const VTEP_B: Host = { mac: MAC(0x202), ip: parseIpv4('192.0.2.2') };

export interface Scene {
  readonly name: string;
  readonly play: (writer: CaptureWriter) => void;
}

export const SCENES: readonly Scene[] = [
  { name: 'arp-icmp', play: arpAndIcmp },
  { name: 'tcp-loss', play: tcpWithLoss },
  { name: 'migration', play: migration },
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
function join(
  stretch: Stretch,
  talk: Talk,
  names: readonly [string, string],
  role: 'client' | 'vmk' = 'client',
): void {
  const receive: ((frame: Uint8Array) => void)[] = [];
  const sendA = stretch.station(names[0], 'a', role, (frame) => receive[0]!(frame));
  const sendB = stretch.station(names[1], 'b', role, (frame) => receive[1]!(frame));
  receive.push(talk.attach('client', sendA), talk.attach('server', sendB));
}

/** A pre-copy of a guest of eight pages in the clear: control link, one page link, the announcement. */
function migration(writer: CaptureWriter): void {
  const stretch = new Stretch(writer, FIBER, 'migration');
  const control = new Talk(stretch, VMK_A, VMK_B, [50_000, 8000]);
  const pages = new Talk(stretch, VMK_A, VMK_B, [50_001, 8000]);
  const receive: ((frame: Uint8Array) => void)[] = [];
  const both = (at: number) => (frame: Uint8Array) => {
    receive[at]!(frame);
    receive[at + 2]!(frame);
  };
  const sendA = stretch.station('vmk-a', 'a', 'vmk', both(0));
  const sendB = stretch.station('vmk-b', 'b', 'vmk', both(1));
  const guestB = stretch.station('guest-b', 'b', 'guest', () => {});
  receive.push(control.attach('client', sendA), control.attach('server', sendB));
  receive.push(pages.attach('client', sendA), pages.attach('server', sendB));

  const migrationId = '5eed00000000000000000000000000a1';
  const idBytes = Uint8Array.from(Buffer.from(migrationId, 'hex'));
  const version = { major: 1, minor: 0 };
  const say = (atNs: number, who: 'client' | 'server', message: Message): void =>
    stretch.at(atNs, () => control.write(who, encodeMessage(message)));
  const noPages = encodePageSet(new PageSet(8));

  stretch.at(0, () => control.open());
  stretch.at(1 * MS, () =>
    control.write('client', encodePreamble({ kind: 'control', stream: 0, attempt: 0, migrationId: idBytes })),
  );
  say(1 * MS, 'client', {
    type: 'offer',
    version,
    migrationId,
    guest: 'guest',
    epoch: 1,
    mode: 'pre-copy',
    pages: 8,
    pageSize: PAGE_SIZE,
    streams: 1,
    storeId: 'a0000000000000000000000000000001',
    stateBytesMax: 1024,
    codecs: '',
  });
  say(3 * MS, 'server', {
    type: 'accept',
    version,
    storeId: 'b0000000000000000000000000000001',
    mode: 'pre-copy',
    codec: '',
  });
  say(5 * MS, 'client', { type: 'ping', seq: 1 });
  say(6 * MS, 'server', { type: 'pong', seq: 1 });
  stretch.at(7 * MS, () => pages.open());
  stretch.at(8 * MS, () =>
    pages.write('client', encodePreamble({ kind: 'pages', stream: 0, attempt: 0, migrationId: idBytes })),
  );
  stretch.at(8 * MS, () => pages.write('client', pageRound(1, [0, 1, 2], [3, 5])));
  say(12 * MS, 'server', { type: 'round-done', round: 1, pages: 8, missed: new Uint8Array(0) });
  say(13 * MS, 'client', { type: 'arm', round: 2, left: noPages });
  stretch.at(13 * MS, () => pages.write('client', pageRound(2, [1], null)));
  say(15 * MS, 'server', { type: 'ready' });
  say(15 * MS, 'server', { type: 'round-done', round: 2, pages: 1, missed: new Uint8Array(0) });
  stretch.at(16 * MS, () => stretch.event('pause'));
  stretch.at(16.1 * MS, () => pages.write('client', pageRound(3, [2], null)));
  stretch.at(16.2 * MS, () => stretch.event('COMMIT'));
  say(16.25 * MS, 'client', {
    type: 'final',
    migrationId,
    epoch: 1,
    round: 3,
    pages: 1,
    state: Uint8Array.from({ length: 64 }, (_, i) => i),
    stateHash: { lo: 0x01234567, hi: 0x89abcdef },
    setHash: { lo: 0x76543210, hi: 0xfedcba98 },
    missing: noPages,
  });
  stretch.at(16.8 * MS, () => {
    stretch.event('RUNNING');
    for (const frame of announcementFrames(GUEST)) guestB(frame);
  });
  say(16.85 * MS, 'server', {
    type: 'started',
    migrationId,
    epoch: 1,
    times: {
      finalReceivedNs: 16_670_000,
      appliedNs: 16_690_000,
      verifiedNs: 16_730_000,
      recordedNs: 16_745_000,
      startedNs: 16_790_000,
    },
  });
  say(18 * MS, 'server', { type: 'hashes', firstPfn: 0, hashes: new Uint8Array(64) });
  say(20 * MS, 'client', { type: 'ended', migrationId });
  stretch.at(22 * MS, () => {
    pages.finish('client');
    control.finish('client');
  });
  stretch.run();
}

/** A round on a page stream: pages of a pattern, a run of zeros (first, count), the end. */
function pageRound(
  round: number,
  pfns: readonly number[],
  zeros: readonly [number, number] | null,
): Uint8Array {
  const data = HEADER_BYTES + RUN_BYTES * pfns.length + PAGE_SIZE * pfns.length;
  const zero = zeros === null ? 0 : HEADER_BYTES + RUN_BYTES;
  const bytes = new Uint8Array(data + zero + HEADER_BYTES);
  const view = new DataView(bytes.buffer);
  writeRecordHeader(view, 0, RECORD_DATA, round, pfns.length, pfns.length);
  for (const [i, pfn] of pfns.entries()) {
    writeRun(view, HEADER_BYTES + i * RUN_BYTES, pfn, 1);
    bytes.fill(0x40 + pfn, HEADER_BYTES + RUN_BYTES * pfns.length + i * PAGE_SIZE, data);
  }
  if (zeros !== null) {
    writeRecordHeader(view, data, RECORD_ZERO, round, 1, zeros[1]);
    writeRun(view, data + HEADER_BYTES, zeros[0], zeros[1]);
  }
  writeRecordHeader(view, data + zero, RECORD_END, round, 0, 0);
  return bytes;
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
