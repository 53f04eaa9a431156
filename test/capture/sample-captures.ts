/**
 * The captures of each format under captures/formats, and the broken ones under captures/broken, as bytes: made here,
 * written there by write-samples.ts, and read by the tests, which compare both.
 */
import {
  BlockBuffer,
  ClassicEncoder,
  dropVerdict,
  LINK_ETHERNET,
  PcapngEncoder,
} from '../../src/capture/index.js';
import { ARP_REPLY, ARP_REQUEST, arpFrame, BROADCAST_MAC, udpFrame } from '../../src/l2/index.js';

const [A, B] = [0x02_4c_48_00_00_0a, 0x02_4c_48_00_00_0b];
const [IP_A, IP_B] = [0x0a500001, 0x0a500002];
const EPOCH = { seconds: 1_234_567_890, nanoseconds: 123_456_000 };
const ONE_WAY_NS = 400_123;

interface Sample {
  readonly atNs: number;
  readonly bytes: Uint8Array;
}

/** A question, its answer, and a datagram: each as it is 400.123 µs apart. */
const PACKETS: readonly Sample[] = [
  arpFrame(BROADCAST_MAC, A, {
    operation: ARP_REQUEST,
    senderMac: A,
    senderIp: IP_A,
    targetMac: 0,
    targetIp: IP_B,
  }),
  arpFrame(A, B, { operation: ARP_REPLY, senderMac: B, senderIp: IP_B, targetMac: A, targetIp: IP_A }),
  udpFrame(
    { srcMac: A, dstMac: B, srcIp: IP_A, dstIp: IP_B, ipId: 1 },
    4000,
    5000,
    new TextEncoder().encode('80 km'),
  ),
].map((bytes, i) => ({ atNs: i * ONE_WAY_NS, bytes }));

function classic(resolution: 'us' | 'ns', snapBytes = 65_535): Uint8Array {
  const out = new BlockBuffer();
  const encoder = new ClassicEncoder(out, EPOCH, resolution);
  encoder.header(snapBytes, LINK_ETHERNET);
  for (const { atNs, bytes } of PACKETS) encoder.packet(atNs, bytes, 0, bytes.length, bytes.length);
  return out.bytes.slice(0, out.length);
}

function pcapng(): Uint8Array {
  const out = new BlockBuffer();
  const e = new PcapngEncoder(out, EPOCH);
  e.section({ application: 'longhaul', operatingSystem: 'Linux', comments: ['seed 7'] });
  e.interface({
    name: 'left',
    description: 'site a: client port, tap',
    linkType: LINK_ETHERNET,
    snapBytes: 262_144,
  });
  e.interface({
    name: 'fiber-b',
    description: "site b: the fiber's end",
    linkType: LINK_ETHERNET,
    snapBytes: 262_144,
  });
  for (const [i, { atNs, bytes }] of PACKETS.entries()) {
    const packetId = i + 1;
    e.packet(0, atNs, bytes, 0, bytes.length, bytes.length, { direction: 'in', packetId });
    const verdict = i === 2 ? dropVerdict('loss') : null;
    const comment = verdict && 'dropped: loss; the fiber lost it';
    const arrivalNs = atNs + ONE_WAY_NS;
    e.packet(1, arrivalNs, bytes, 0, bytes.length, bytes.length, {
      direction: 'in',
      packetId,
      verdict,
      comment,
    });
  }
  e.statistics(3 * ONE_WAY_NS, {
    interfaceId: 0,
    received: 3,
    droppedByInterface: 0,
    droppedByFilter: 0,
    comment: null,
  });
  return out.bytes.slice(0, out.length);
}

/** The same file in the other byte order: each field of each header turned round. */
function bigEndian(file: Uint8Array): Uint8Array {
  const turned = file.slice();
  const turn = (at: number, bytes: number): Uint8Array => turned.subarray(at, at + bytes).reverse();
  for (const [at, bytes] of [
    [0, 4],
    [4, 2],
    [6, 2],
    [8, 4],
    [12, 4],
    [16, 4],
    [20, 4],
  ] as const)
    turn(at, bytes);
  const view = new DataView(file.buffer, file.byteOffset);
  for (let at = 24; at < file.length; at += 16 + view.getUint32(at + 8, true)) {
    for (let field = 0; field < 16; field += 4) turn(at + field, 4);
  }
  return turned;
}

/** By name. */
export const FORMATS: ReadonlyMap<string, Uint8Array> = new Map([
  ['microseconds.pcap', classic('us')],
  ['nanoseconds.pcap', classic('ns')],
  ['big-endian.pcap', bigEndian(classic('us'))],
  ['big-endian-nanoseconds.pcap', bigEndian(classic('ns'))],
  ['two-interfaces.pcapng', pcapng()],
]);

/** `file` with the little-endian word at `at` replaced. */
function patched(file: Uint8Array, at: number, word: number): Uint8Array {
  const bytes = file.slice();
  new DataView(bytes.buffer).setUint32(at, word, true);
  return bytes;
}

/** Where the k-th block of a pcapng file begins. */
function blockAt(file: Uint8Array, k: number): number {
  const view = new DataView(file.buffer, file.byteOffset);
  let at = 0;
  for (let i = 0; i < k; i++) at += view.getUint32(at + 4, true);
  return at;
}

const CLASSIC = classic('us');
const PCAPNG = pcapng();
/** The second packet's block: its interface, the first of the file, follows type and length. */
const SECOND_PACKET = blockAt(PCAPNG, 4);
const FIRST_CLASSIC_PACKET = 24;

/** By name; each is refused, or read up to its damage. */
export const BROKEN: ReadonlyMap<string, Uint8Array> = new Map([
  ['empty.pcap', new Uint8Array(0)],
  ['short-header.pcap', CLASSIC.slice(0, 11)],
  ['truncated-packet.pcap', CLASSIC.slice(0, -7)],
  [
    'truncated-packet-header.pcap',
    CLASSIC.slice(0, FIRST_CLASSIC_PACKET + 16 + PACKETS[0]!.bytes.length + 9),
  ],
  [
    'beyond-snap-length.pcap',
    patched(CLASSIC, FIRST_CLASSIC_PACKET + 16 + PACKETS[0]!.bytes.length + 8, 70_000),
  ],
  [
    'four-gigabyte-packet.pcap',
    patched(patched(CLASSIC, 16, 0xffff_ffff), FIRST_CLASSIC_PACKET + 8, 0xffff_fff0),
  ],
  ['version-2.3.pcap', patched(CLASSIC, 4, 0x0003_0002)],
  ['long-packet-headers.pcap', patched(CLASSIC, 0, 0xa1b2_cd34)],
  ['gzip.pcap', Uint8Array.of(0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3)],
  ['text.pcap', new TextEncoder().encode('0000  ff ff ff ff ff ff 02 4c 48 00 00 0a 08 06\n')],
  ['truncated-block.pcapng', PCAPNG.slice(0, -30)],
  ['block-length.pcapng', patched(PCAPNG, SECOND_PACKET + 4, 101)],
  ['endless-block.pcapng', patched(PCAPNG, SECOND_PACKET + 4, 0x7fff_fffc)],
  ['lengths-differ.pcapng', patched(PCAPNG, blockAt(PCAPNG, 5) - 4, 72)],
  ['unknown-interface.pcapng', patched(PCAPNG, SECOND_PACKET + 8, 9)],
  ['packet-beyond-block.pcapng', patched(PCAPNG, SECOND_PACKET + 20, 4_000)],
  ['option-beyond-block.pcapng', patched(PCAPNG, SECOND_PACKET + 28 + 60, 0x7fff_0002)],
  ['no-byte-order.pcapng', patched(PCAPNG, 8, 0x1234_5678)],
  ['version-2.pcapng', patched(PCAPNG, 12, 2)],
]);
