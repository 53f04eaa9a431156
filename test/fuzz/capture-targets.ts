/** Files that call themselves captures, and what is done with the packets in them: shown, compared, replayed, filtered. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ClassicReader } from '../../src/capture/files/classic-reader.js';
import {
  CaptureFilter,
  CLASSIC_HEADER_BYTES,
  formatInstant,
  isClassicMagic,
  PcapngDecoder,
  placeOf,
  type ReadPacket,
  readClassicHeader,
  whatItIs,
} from '../../src/capture/index.js';
import { frameParts, PRINT_PARTS } from '../../src/dissect/frame-print.js';
import { Migrations } from '../../src/dissect/migration.js';
import { transportOf } from '../../src/dissect/transport.js';
import { describeFrame } from '../../src/l2/index.js';
import { fits, segmentsOf } from '../../src/replay/fit-mtu.js';
import { toEthernet } from '../../src/replay/link-layer.js';
import { parseIpRule, parseMacRule, parseVlanRule, Rewriter } from '../../src/replay/rewrite.js';
import { SideFinder } from '../../src/replay/sides.js';
import { CAPTURES } from '../captures/expected.js';
import type { FuzzTarget } from './targets.js';

const INPUT_MAX = 4096;
/** Link types that frames are made of, and some of which none are. */
const LINK_TYPES = [1, 0, 12, 101, 108, 113, 228, 229, 252, 276, 147];
const filter = new CaptureFilter(
  'not (site b or port x) and (mac 02:00:00:00:00:01 or ip 10.0.0.0/8 or proto vxlan or l4 8000 or vlan 7 or dropped)',
);
const rewriter = new Rewriter({
  macs: new Map([parseMacRule('02:00:00:00:00:01=02:00:00:00:00:03')]),
  ips: [parseIpRule('10.0.0.0/8=11.0.0.0/8'), parseIpRule('fd00::/16=fd01::/16')],
  vlans: [parseVlanRule('7=none'), parseVlanRule('none=8')],
  perLoop: true,
});

function filesOf(folder: string, ext: string): Uint8Array[] {
  const names = readdirSync(join(CAPTURES, folder)).filter((name) => name.endsWith(ext));
  return names
    .map((name) => new Uint8Array(readFileSync(join(CAPTURES, folder, name))))
    .filter((b) => b.length > 24);
}

/** The beginnings of the samples: as long as an input may be. */
function beginnings(): Uint8Array[] {
  return ['arp-icmp', 'vxlan', 'migration'].map((name) =>
    new Uint8Array(readFileSync(join(CAPTURES, `${name}.pcapng`))).slice(0, INPUT_MAX),
  );
}

export const CAPTURE_TARGETS: readonly FuzzTarget[] = [
  {
    name: 'pcapng',
    samples: [...filesOf('formats', '.pcapng'), ...filesOf('broken', '.pcapng'), ...beginnings()],
    maxBytes: 2 ** 20,
    inputMax: INPUT_MAX,
    feed: readPcapng,
  },
  {
    name: 'classic-pcap',
    samples: [...filesOf('formats', '.pcap'), ...filesOf('broken', '.pcap')],
    maxBytes: 2 ** 20,
    inputMax: INPUT_MAX,
    feed: readClassic,
  },
  {
    name: 'captured-frames',
    samples: framesOf([...filesOf('formats', '.pcapng'), ...beginnings()]),
    maxBytes: 2 ** 20,
    inputMax: 1600,
    feed: (bytes) => {
      for (const linkType of LINK_TYPES) useFrame(linkType, bytes);
    },
  },
];

/** Once as a whole and once in pieces, which must tell the same. */
function readPcapng(bytes: Uint8Array): void {
  const whole = new PcapngDecoder();
  const packets: ReadPacket[] = [];
  whole.decode(bytes, 0, true, packets);
  const pieces = new PcapngDecoder();
  const again: ReadPacket[] = [];
  let left = new Uint8Array(0);
  let at = 0;
  for (let from = 0; from < bytes.length && pieces.damage === null; from += 700) {
    const piece = bytes.subarray(from, from + 700);
    const both = new Uint8Array(left.length + piece.length);
    both.set(left);
    both.set(piece, left.length);
    const taken = pieces.decode(both, at, from + 700 >= bytes.length, again);
    left = both.slice(taken);
    at += taken;
  }
  if (packets.length !== again.length)
    throw new Error(`${packets.length} packets, in pieces ${again.length}`);
  if (whole.damage?.offset !== pieces.damage?.offset)
    throw new Error(`damaged at ${whole.damage?.offset}, in pieces at ${pieces.damage?.offset}`);
  // A file of simple packets has no stamp at all.
  if (whole.epoch !== null) for (const { atNs } of packets) formatInstant(whole.epoch, atNs);
}

function readClassic(bytes: Uint8Array): void {
  if (bytes.length < CLASSIC_HEADER_BYTES || !isClassicMagic(bytes)) {
    if (bytes.length > 0) whatItIs(bytes);
    return;
  }
  const header = readClassicHeader(bytes.subarray(0, CLASSIC_HEADER_BYTES));
  if (!header.ok) return;
  const reader = new ClassicReader(bytes.subarray(0, CLASSIC_HEADER_BYTES), header.value);
  const packets: ReadPacket[] = [];
  for (let from = CLASSIC_HEADER_BYTES; from < bytes.length; from += 700)
    reader.feed(bytes.slice(from, from + 700), packets);
  reader.end(bytes.length);
  for (const p of packets) {
    if (p.bytes.length > header.value.mostBytes) throw new Error(`a packet of ${p.bytes.length} bytes`);
    formatInstant(reader.epoch!, p.atNs);
  }
}

function useFrame(linkType: number, bytes: Uint8Array): void {
  filter.matches(placeOf('p', 'site a: client', linkType), 'in', null, bytes, 0, bytes.length);
  const frame = toEthernet(linkType, bytes);
  if (frame === null) return;
  describeFrame(frame);
  frameParts(frame, new Uint32Array(PRINT_PARTS.length));
  const transport = transportOf(frame);
  if (transport !== null) {
    const migrations = new Migrations();
    migrations.heard(0, transport);
    migrations.heard(1, transport);
    migrations.found();
  }
  const finder = new SideFinder();
  finder.heard(frame);
  finder.found().place(frame, { side: 'a', crosses: true });
  if (frame.length < 14) return;
  const rewritten = rewriter.apply(new Uint8Array(frame), 1);
  if (!fits(rewritten, 576)) segmentsOf(rewritten, 576);
}

function framesOf(files: readonly Uint8Array[]): Uint8Array[] {
  return files.flatMap((file) => {
    const packets: ReadPacket[] = [];
    new PcapngDecoder().decode(file, 0, true, packets);
    return packets.map((p) => p.bytes.slice(0, 1600)).filter((b) => b.length > 0);
  });
}
