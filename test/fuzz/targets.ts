/**
 * Everything that reads bytes which somebody else has written: how to feed it, and good bytes to begin from.
 *
 *   samples ─► mutate (mutations.ts) ─► target.feed ─► must return: no throw, no endless work, no allocation over `maxBytes`
 */
import { frameOf, isLonghaulError, PAGE_SIZE, PageSet } from '../../src/core/index.js';
import { parseTrace } from '../../src/fiber/index.js';
import { decodeDeviceState, encodeDeviceState, RequestMessage } from '../../src/guest/index.js';
import { decodeRecords } from '../../src/host/index.js';
import {
  announcementFrames,
  Bridge,
  type BridgeAction,
  decodeArp,
  decodeEthernet,
  decodeIcmp,
  decodeIpv4,
  decodeIpv6,
  decodeNeighbour,
  decodeRarp,
  decodeTcp,
  decodeUdp,
  decodeVxlan,
  describeFrame,
  EndStation,
  echoCodec,
  linkLocalFromMac,
  neighbourSolicitation,
  type StationAction,
  tagsOf,
  udpFrame,
  writeVxlan,
} from '../../src/l2/index.js';
import {
  applyDelta,
  checkDescriptors,
  DATAGRAM_BYTES_MAX,
  Destination,
  type DestinationAction,
  decodeGreeting,
  decodeMessage,
  decodePageSet,
  encodeDelta,
  encodeMessage,
  encodePageSet,
  GREETING_BYTES,
  LENGTH_BYTES,
  MESSAGE_BYTES_MAX,
  type Message,
  MessageReader,
  PacketReader,
  PageStreamReader,
  RECORD_BODY_MAX,
  Source,
  type SourceAction,
  SparseCodec,
  secureKind,
  secureRecordBytes,
  writeRecordHeader,
  writeRun,
} from '../../src/vmotion-protocol/index.js';
import { decodePreamble, encodePreamble } from '../../src/vmotion-protocol/transport/index.js';
import { CAPTURE_TARGETS } from './capture-targets.js';

export interface FuzzTarget {
  readonly name: string;
  /** Good inputs to begin from. */
  readonly samples: readonly Uint8Array[];
  /** What one input may make it allocate outside the heap, bytes: the stated maximum. */
  readonly maxBytes: number;
  /** Longest input worth giving. */
  readonly inputMax: number;
  feed(bytes: Uint8Array): void;
}

const ID = '0123456789abcdef0123456789abcdef';
const STORE = 'ab'.repeat(16);
const HASH = { lo: 1, hi: 2 };
const PAGES = 256;
const SMALL_BYTES = 64 * 1024;

const everyPage = encodePageSet(PageSet.full(PAGES));
const times = { finalReceivedNs: 1, appliedNs: 2, verifiedNs: 3, recordedNs: 4, startedNs: 5 };
const version = { major: 2, minor: 0 };

/** One of each message. */
export const MESSAGES: readonly Message[] = [
  {
    type: 'offer',
    version,
    migrationId: ID,
    guest: 'guest',
    epoch: 1,
    mode: 'hybrid',
    pages: PAGES,
    pageSize: PAGE_SIZE,
    streams: 1,
    storeId: STORE,
    stateBytesMax: 100,
    codecs: '',
    shape: '',
  },
  { type: 'accept', version, storeId: STORE, mode: 'hybrid', codec: '' },
  { type: 'refuse', code: 'VMOTION_LIMIT', text: 'no place' },
  { type: 'ping', seq: 0 },
  { type: 'pong', seq: 0 },
  { type: 'round-done', round: 1, pages: PAGES, missed: new Uint8Array(0) },
  { type: 'arm', round: 1, left: encodePageSet(new PageSet(PAGES)) },
  { type: 'ready' },
  {
    type: 'final',
    migrationId: ID,
    epoch: 1,
    round: 2,
    pages: 0,
    state: new Uint8Array(24),
    stateHash: HASH,
    setHash: HASH,
    missing: everyPage,
  },
  { type: 'started', migrationId: ID, epoch: 1, times },
  { type: 'complete', migrationId: ID, epoch: 1 },
  { type: 'resume', migrationId: ID, epoch: 1, round: 3, final: true },
  { type: 'lacks', migrationId: ID, round: 2, missing: everyPage },
  { type: 'nack', migrationId: ID, code: 'VMOTION_VERIFY_FAILED', text: 'differs' },
  { type: 'abort', code: 'VMOTION_CANCELLED', text: 'cancelled' },
  { type: 'frame', bytes: new Uint8Array(64) },
  { type: 'hashes', firstPfn: 0, hashes: new Uint8Array(PAGES * 8) },
  { type: 'ended', migrationId: ID },
  { type: 'ask', migrationId: ID, storeId: STORE },
  { type: 'answer', migrationId: ID, verdict: 'never' },
  { type: 'reject', code: 'VMOTION_MESSAGE_UNKNOWN', text: 'what?' },
];

const encoded = MESSAGES.map((m) => encodeMessage(m));

function concat(parts: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((n, p) => n + p.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/** A page stream's record without payload: header and one run. */
function record(kind: number, round: number, pages: number): Uint8Array {
  const bytes = new Uint8Array(16 + (pages > 0 ? 8 : 0));
  const view = new DataView(bytes.buffer);
  writeRecordHeader(view, 0, kind, round, pages > 0 ? 1 : 0, pages);
  if (pages > 0) writeRun(view, 16, 3, pages);
  return bytes;
}

/** Feeds a reader that wants bytes by the piece; payload is skipped as if it had gone to memory. */
function readPages(bytes: Uint8Array): void {
  const reader = new PageStreamReader(PAGES);
  for (let at = 0; at < bytes.length; ) {
    const n = Math.min(reader.needBytes, bytes.length - at);
    if (n === 0) {
      if (reader.failure === null) throw new Error('a reader that wants nothing and has not failed');
      return;
    }
    if (reader.phase === 'staging') reader.staging.set(bytes.subarray(at, at + n), reader.stagingOffset);
    else if (reader.memoryOffset + n > PAGES * PAGE_SIZE) throw new Error('payload beyond the memory');
    at += n;
    if (reader.taken(n) === 'bad') return;
  }
}

const packetReader = new PacketReader();
/** PAGE, CONTROL, ACK and PARITY: of the others `length` says nothing. */
const WITH_PAYLOAD = [1, 4, 5, 6];

function readPacket(bytes: Uint8Array): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (!packetReader.open(view, 0, bytes.length)) return;
  for (let frames = 0; ; frames++) {
    const kind = packetReader.next();
    if (kind <= 0) return;
    if (frames > bytes.length) throw new Error('more frames than bytes');
    if (WITH_PAYLOAD.includes(kind) && packetReader.bytesAt + packetReader.length > bytes.length)
      throw new Error('a frame beyond its datagram');
  }
}

const stationConfig = { mac: 0x525400000001, ip: 0x0a000001 };
const link = {
  srcMac: 0x525400000002,
  dstMac: 0x525400000001,
  srcIp: 0x0a000002,
  dstIp: 0x0a000001,
  ipId: 1,
};
const payload = new TextEncoder().encode('some payload that is long enough');
const linkLocal = linkLocalFromMac(link.srcMac);
const FRAMES = [
  udpFrame(link, 1, 2, payload),
  echoCodec.encode(link, { kind: 'echo-request', id: 1, seq: 2, payload }),
  neighbourSolicitation(link.srcMac, linkLocal, linkLocalFromMac(link.dstMac)),
  ...announcementFrames({ mac: link.srcMac, ip: link.srcIp, ipv6: linkLocal }),
];

const DECODERS = [
  decodeEthernet,
  decodeArp,
  decodeRarp,
  decodeIpv4,
  decodeIpv6,
  decodeNeighbour,
  decodeIcmp,
  decodeTcp,
  decodeVxlan,
];

function readFrame(bytes: Uint8Array): void {
  for (const decode of DECODERS) {
    const result = decode(bytes, 0, bytes.length);
    if (!result.ok && (result.at < 0 || result.at > bytes.length))
      throw new Error('refused outside the buffer');
  }
  decodeUdp(bytes, 0, bytes.length, 1, 2);
  describeFrame(bytes);
  tagsOf(bytes, 0, bytes.length);
}

const bridge = new Bridge();
const bridgeActions: BridgeAction[] = [];
for (const port of [1, 2, 3])
  bridge.step(0, { type: 'port-added', port, name: `p${port}`, role: port === 3 ? 'stretch' : 'client' }, []);
const station = new EndStation(stationConfig);
const stationActions: StationAction[] = [];
let frameTimeNs = 0;

function takeFrame(bytes: Uint8Array): void {
  frameTimeNs += 1000;
  bridge.step(
    frameTimeNs,
    { type: 'frame-received', port: 1 + (bytes.length % 3), frame: frameOf(bytes) },
    bridgeActions,
  );
  station.step(frameTimeNs, { type: 'frame-received', bytes }, stationActions);
  if (stationActions.length > 1) throw new Error('a station answers a frame by more than one');
  bridgeActions.length = stationActions.length = 0;
}

/** Both machines under whatever a peer may send, whenever. Each byte is a message, a local event or time. */
function stepMachines(bytes: Uint8Array): void {
  const source = new Source({
    migrationId: ID,
    guest: 'guest',
    epoch: 1,
    pages: PAGES,
    streams: 1,
    storeId: STORE,
    mode: 'hybrid',
  });
  const destination = new Destination({ guest: 'guest', pages: PAGES, storeId: STORE });
  const out: (SourceAction | DestinationAction)[] = [];
  let nowNs = 0;
  source.step(nowNs, { type: 'start' }, out as SourceAction[]);
  for (const byte of bytes.subarray(0, 200)) {
    nowNs += byte * 1_000_000;
    const message = MESSAGES[byte % MESSAGES.length]!;
    const local = byte >> 5;
    source.step(nowNs, { type: 'received', message }, out as SourceAction[]);
    destination.step(nowNs, { type: 'received', message }, out as DestinationAction[]);
    if (local === 1) {
      source.step(
        nowNs,
        { type: 'harvested', dirty: new PageSet(PAGES), dirtyPages: 0 },
        out as SourceAction[],
      );
      destination.step(nowNs, { type: 'prepared' }, out as DestinationAction[]);
    } else if (local === 2) {
      source.step(
        nowNs,
        { type: 'round-sent', round: byte & 3, pages: PAGES, zeroPages: 0, bytes: 1, setHash: HASH },
        out as SourceAction[],
      );
      destination.step(
        nowNs,
        { type: 'round-applied', round: byte & 3, pages: PAGES },
        out as DestinationAction[],
      );
    } else if (local === 3) {
      source.step(nowNs, { type: 'connection-lost', text: 'fuzz' }, out as SourceAction[]);
      destination.step(nowNs, { type: 'connection-lost', text: 'fuzz' }, out as DestinationAction[]);
    } else if (local === 4) {
      source.step(nowNs, { type: 'recorded', record: 'COMMIT' }, out as SourceAction[]);
      destination.step(
        nowNs,
        { type: 'recorded', record: byte & 1 ? 'RUNNING' : 'NEVER' },
        out as DestinationAction[],
      );
    }
    source.step(nowNs, { type: 'woke' }, out as SourceAction[]);
    destination.step(nowNs, { type: 'woke' }, out as DestinationAction[]);
    if (out.length > 2000) throw new Error('one event makes no end of actions');
    out.length = 0;
  }
}

const page = new Uint8Array(new ArrayBuffer(PAGE_SIZE));
const sparse = new SparseCodec();

function makeDelta(): Uint8Array {
  const base = new Int32Array(PAGE_SIZE / 4);
  const next = base.slice();
  next[5] = 7;
  next[900] = -1;
  const out = new Uint8Array(PAGE_SIZE);
  return out.slice(0, encodeDelta(base, 0, next, 0, out, 0, PAGE_SIZE));
}

const RECORDS_BYTES = 64;
const TRACE = 'time (s), one-way (ms), rate (Mbit/s), loss (%)\n0, 0.4, 1000, 0\n1, 0.5, 900, 0.1\n';

export const TARGETS: readonly FuzzTarget[] = [
  {
    name: 'message',
    samples: encoded.map((b) => b.slice(LENGTH_BYTES)),
    maxBytes: MESSAGE_BYTES_MAX,
    inputMax: 600,
    feed: (bytes) => {
      const decoded = decodeMessage(bytes);
      // What was read can be written, and reads the same again.
      if (decoded.ok) encodeMessage(decoded.message);
    },
  },
  {
    name: 'message-stream',
    samples: [concat(encoded.slice(0, 8)), concat(encoded.slice(8, 14))],
    maxBytes: 2 * MESSAGE_BYTES_MAX,
    inputMax: 2000,
    feed: (bytes) => {
      const reader = new MessageReader();
      for (let at = 0; at < bytes.length; at += 100) {
        reader.push(bytes.subarray(at, at + 100));
        while (reader.next() !== null);
      }
    },
  },
  {
    name: 'page-set',
    samples: [
      everyPage,
      encodePageSet(new PageSet(PAGES)),
      Uint8Array.of(0),
      Uint8Array.of(1, 0, 0, 0, 0, 255, 0, 0, 0),
    ],
    maxBytes: SMALL_BYTES,
    inputMax: 120,
    feed: (bytes) => {
      const set = decodePageSet(PAGES, bytes);
      if (set !== null && set.next(0) >= PAGES) throw new Error('a page beyond the guest');
    },
  },
  {
    name: 'page-stream',
    samples: [
      concat([record(2, 1, 40), record(3, 1, 0), record(2, 2, 1), record(3, 2, 0)]),
      concat([record(1, 1, 1), new Uint8Array(PAGE_SIZE), record(3, 1, 0)]),
    ],
    maxBytes: SMALL_BYTES,
    inputMax: 5000,
    feed: readPages,
  },
  {
    name: 'udp-packet',
    samples: udpSamples(),
    maxBytes: SMALL_BYTES,
    inputMax: DATAGRAM_BYTES_MAX,
    feed: readPacket,
  },
  {
    name: 'delta',
    samples: [makeDelta()],
    maxBytes: SMALL_BYTES,
    inputMax: 600,
    feed: (bytes) => {
      applyDelta(bytes, 0, bytes.length, page, 0);
    },
  },
  {
    name: 'compressed-page',
    samples: [Uint8Array.of(0, 0, 0, 0), Uint8Array.of(4, 0, 1, 0, 0, 0, 9, 9, 9, 9)],
    maxBytes: SMALL_BYTES,
    inputMax: 4096,
    feed: (bytes) => {
      sparse.decompress(bytes, 0, bytes.length, page, 0);
    },
  },
  {
    name: 'descriptors',
    samples: [Uint8Array.of(0, 0, 0, 16, 1, 0, 0, 0)],
    maxBytes: SMALL_BYTES,
    inputMax: 256,
    feed: (bytes) => {
      checkDescriptors(
        new DataView(bytes.buffer, bytes.byteOffset, bytes.length),
        0,
        Math.floor(bytes.length / 4),
      );
    },
  },
  {
    name: 'preamble-and-greeting',
    samples: [
      encodePreamble({ kind: 'pages', stream: 3, attempt: 0, migrationId: new Uint8Array(16) }),
      new Uint8Array(GREETING_BYTES),
    ],
    maxBytes: SMALL_BYTES,
    inputMax: 80,
    feed: (bytes) => {
      decodePreamble(bytes);
      decodeGreeting(bytes);
    },
  },
  {
    name: 'secure-header',
    samples: [Uint8Array.of(2, 0, 0, 16, 0, 0, 0, 0)],
    maxBytes: SMALL_BYTES,
    inputMax: 16,
    feed: (bytes) => {
      if (bytes.length < 8) return;
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
      secureKind(view, 0);
      if (secureRecordBytes(view, 0) > RECORD_BODY_MAX + SMALL_BYTES)
        throw new Error('a record over the limit');
    },
  },
  { name: 'l2-wire', samples: FRAMES, maxBytes: SMALL_BYTES, inputMax: 200, feed: readFrame },
  { name: 'l2-machines', samples: FRAMES, maxBytes: SMALL_BYTES, inputMax: 200, feed: takeFrame },
  {
    name: 'vxlan',
    samples: [vxlanSample()],
    maxBytes: SMALL_BYTES,
    inputMax: 120,
    feed: (bytes) => void decodeVxlan(bytes, 0, bytes.length),
  },
  {
    name: 'records',
    samples: [new Uint8Array(3 * RECORDS_BYTES)],
    maxBytes: SMALL_BYTES,
    inputMax: 4 * RECORDS_BYTES,
    feed: (bytes) => void decodeRecords(bytes),
  },
  {
    name: 'device-state',
    samples: [encodeDeviceState({ mac: new Uint8Array(6), ip: 1, ranNs: 5 })],
    maxBytes: SMALL_BYTES,
    inputMax: 40,
    feed: (bytes) => void decodeDeviceState(bytes),
  },
  {
    name: 'service-message',
    samples: [new Uint8Array(20)],
    maxBytes: SMALL_BYTES,
    inputMax: 48,
    feed: (bytes) => {
      new RequestMessage().read(bytes, 0, bytes.length);
    },
  },
  {
    name: 'fiber-trace',
    samples: [new TextEncoder().encode(TRACE)],
    maxBytes: SMALL_BYTES,
    inputMax: 300,
    feed: (bytes) => {
      try {
        parseTrace(new TextDecoder('latin1').decode(bytes), 'fuzz.csv');
      } catch (e) {
        // A trace is a person's file: it is refused by a coded error that names the line, and by nothing else.
        if (!isLonghaulError(e)) throw e;
      }
    },
  },
  {
    name: 'machines',
    samples: [Uint8Array.from({ length: 60 }, (_, i) => (i * 37) & 0xff)],
    maxBytes: 4 * MESSAGE_BYTES_MAX,
    inputMax: 200,
    feed: stepMachines,
  },
  ...CAPTURE_TARGETS,
];

/** Packets of one frame each, of every kind; numbers as packet-codec.ts lays them out. */
function udpSamples(): Uint8Array[] {
  const header = Uint8Array.of(...magicOfPackets(), 0, 0, 1, 0, 0, 0, 7, 0, 0, 0, 0, 0, 1, 0);
  const frames = [
    Uint8Array.of(1, 0, 0, 0, 16, 0, 16, 0, 9, 0, 0, 0, 1, 0, 0, 0, ...new Uint8Array(16)),
    Uint8Array.of(2, 0, 3, 0, 5, 0, 0, 0, 1, 0, 0, 0),
    Uint8Array.of(3, 0, 0, 0, 9, 0, 0, 0),
    Uint8Array.of(4, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4),
    Uint8Array.of(
      5,
      1,
      0,
      0,
      0,
      0,
      0,
      0,
      7,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      1,
      0,
      0,
      3,
      0,
      0,
      0,
    ),
    Uint8Array.of(6, 0, 2, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2),
    Uint8Array.of(8, 0, 0, 0),
  ];
  return [...frames.map((f) => concat([header, f])), concat([header, ...frames])];
}

function magicOfPackets(): [number, number] {
  const bytes = new Uint8Array(32);
  const view = new DataView(bytes.buffer);
  const probe = new PacketReader();
  for (let magic = 0; magic <= 0xffff; magic++) {
    view.setUint16(0, magic, true);
    if (probe.open(view, 0, bytes.length)) return [bytes[0]!, bytes[1]!];
  }
  throw new Error('no packet can be opened');
}

function vxlanSample(): Uint8Array {
  const bytes = new Uint8Array(8 + FRAMES[0]!.length);
  writeVxlan(bytes, 0, 42);
  bytes.set(FRAMES[0]!, 8);
  return bytes;
}
