/**
 * Finds the links of migrations among the frames of a capture and gives their bytes to `LinkBytes`.
 *
 *   TCP to port 8000          │ a stream each way, by sequence number                          one link
 *   UDP 'LS' (stream-datagram) │ a stream each way, by seq: our reliable stream                one link
 *   UDP 'LU' (packet-codec)    │ CONTROL frames each way by offset; PAGE, ZERO and END beside  control and pages
 *
 * Who opened a link is its source. Bounded: 1,024 links; what is older than a link's opening is not read.
 */
import { TCP_ACK, TCP_SYN } from '../l2/index.js';
import {
  ENCODINGS,
  FLAG_INITIATOR,
  FRAME_BAD,
  FRAME_CONTROL,
  FRAME_END,
  FRAME_NONE,
  FRAME_PAGE,
  FRAME_ZERO,
  PacketReader,
} from '../vmotion-protocol/index.js';
import { LinkBytes, type LinkEvents, type PageWay, type Sender } from './link-bytes.js';
import { OrderedBytes } from './ordered-bytes.js';
import type { Transport } from './transport.js';

/** SPEC.md, "Links": the listener's port, TCP or UDP. */
export const VMOTION_PORT = 8000;
const LINKS_MAX = 1024;

const STREAM_MAGIC = 0x4c53;
const STREAM_HEADER_BYTES = 20;
const STREAM_BLOCK_BYTES = 8;
const STREAM_FLAG_SYN = 1;

/** One link of a migration, and how far its two directions have been put together. */
export interface SeenLink {
  readonly transport: 'tcp' | 'stream-datagrams' | 'udp';
  readonly source: string;
  readonly destination: string;
}

interface OpenLink {
  readonly seen: SeenLink;
  readonly bytes: LinkBytes;
  readonly streams: Readonly<Record<Sender, OrderedBytes>>;
  /** Sequence number of each direction's first byte, modulo 2^32; null until known. */
  readonly base: Record<Sender, number | null>;
  readonly pages: PagesOfUdp;
}

/** Makes the receiver of a link's events. */
export type OnLink = (link: SeenLink) => LinkEvents;

export class Links {
  readonly #onLink: OnLink;
  readonly #links = new Map<string, OpenLink>();
  readonly #packet = new PacketReader();

  constructor(onLink: OnLink) {
    this.#onLink = onLink;
  }

  /** A frame's transport. @returns what it is of ours, for a line; null when it is not */
  heard(t: Transport): string | null {
    if (t.srcPort !== VMOTION_PORT && t.dstPort !== VMOTION_PORT) return null;
    if (t.protocol === 'tcp') return this.#tcp(t);
    const { payload } = t;
    const view = new DataView(payload.buffer, payload.byteOffset, payload.length);
    if (payload.length >= STREAM_HEADER_BYTES && view.getUint16(0) === STREAM_MAGIC)
      return this.#stream(t, view);
    return this.#packet.open(view, 0, payload.length) ? this.#udp(t) : null;
  }

  #tcp(t: Transport): string | null {
    const { link, from } = this.#linkOf(t, 'tcp', '');
    if (link === null) return null;
    const opening = (t.flags & TCP_SYN) !== 0;
    // A capture that begins within a connection has no SYN: then the first segment seen is its beginning.
    link.base[from] ??= opening ? (t.seq + 1) >>> 0 : t.seq;
    if (opening) return (t.flags & TCP_ACK) === 0 ? 'link opens' : 'link accepted';
    const offset = expanded(t.seq, link.base[from], link.streams[from].next);
    if (offset >= 0) link.streams[from].put(offset, t.payload);
    return null;
  }

  #stream(t: Transport, view: DataView): string | null {
    const connection = view.getUint32(4);
    const { link, from } = this.#linkOf(t, 'stream-datagrams', `/${connection}`);
    if (link === null) return null;
    link.base[from] ??= 0;
    const blocks = view.getUint8(3);
    const at = STREAM_HEADER_BYTES + blocks * STREAM_BLOCK_BYTES;
    const offset = expanded(view.getUint32(8), 0, link.streams[from].next);
    if (at < t.payload.length && offset >= 0) link.streams[from].put(offset, t.payload.subarray(at));
    const opening = (view.getUint8(2) & STREAM_FLAG_SYN) !== 0 ? ' opening' : '';
    return `stream ${hex(connection)}${opening}, ${Math.max(0, t.payload.length - at)} bytes at ${offset}`;
  }

  #udp(t: Transport): string | null {
    const packet = this.#packet;
    const { connection, number, round, flags } = packet;
    const initiator = (flags & FLAG_INITIATOR) !== 0;
    const { link, from } = this.#linkOf(t, 'udp', `/${connection}`, initiator ? 'source' : 'destination');
    if (link === null) return null;
    const words: string[] = [];
    for (let kind = packet.next(); kind !== FRAME_NONE; kind = packet.next()) {
      words.push(FRAME_NAMES[kind] ?? 'not a frame');
      if (kind === FRAME_BAD) break;
      if (kind === FRAME_CONTROL) {
        const { offset, bytesAt, length } = packet;
        link.streams[from].put(offset, t.payload.subarray(bytesAt, bytesAt + length));
      }
      if (kind === FRAME_PAGE) link.pages.fragment(round, packet);
      if (kind === FRAME_ZERO) link.pages.zero(round, packet.count);
      if (kind === FRAME_END) link.pages.end(round);
    }
    return `connection ${hex(connection)} packet ${number} round ${round}: ${counted(words)}`;
  }

  #linkOf(
    t: Transport,
    transport: SeenLink['transport'],
    suffix: string,
    known?: Sender,
  ): { link: OpenLink | null; from: Sender } {
    const from: Sender = known ?? (t.dstPort === VMOTION_PORT ? 'source' : 'destination');
    const [source, destination] = from === 'source' ? [t.src, t.dst] : [t.dst, t.src];
    const key = `${transport} ${source} ${destination}${suffix}`;
    let link = this.#links.get(key) ?? null;
    if (link === null && this.#links.size < LINKS_MAX) {
      link = this.#open({ transport, source, destination });
      this.#links.set(key, link);
    }
    return { link, from };
  }

  #open(seen: SeenLink): OpenLink {
    const events = this.#onLink(seen);
    const bytes = new LinkBytes(events);
    const stream = (from: Sender): OrderedBytes => new OrderedBytes((b) => bytes.put(from, b));
    return {
      seen,
      bytes,
      streams: { source: stream('source'), destination: stream('destination') },
      base: { source: null, destination: null },
      pages: new PagesOfUdp(events),
    };
  }

  /** Links whose bytes could not be put together to the end, and where the hole is. */
  *broken(): Generator<{ readonly seen: SeenLink; readonly from: Sender; readonly at: number }> {
    for (const { seen, streams } of this.#links.values()) {
      for (const from of ['source', 'destination'] as const) {
        if (streams[from].brokenAt >= 0) yield { seen, from, at: streams[from].brokenAt };
      }
    }
  }
}

/** Counts pages of the UDP transport: one when the last byte of its record has been seen. */
class PagesOfUdp {
  readonly #events: LinkEvents;
  readonly #ended = new Set<number>();

  constructor(events: LinkEvents) {
    this.#events = events;
  }

  fragment(round: number, p: PacketReader): void {
    // Sent again, a last fragment is counted again: that is what the wire carried.
    if (p.offset + p.length === p.recordBytes) this.#events.pages(wayOf(p), round, 1, p.recordBytes);
  }

  zero(round: number, count: number): void {
    this.#events.pages('zero', round, count, 0);
  }

  end(round: number): void {
    if (this.#ended.has(round)) return;
    this.#ended.add(round);
    this.#events.ended(round);
  }
}

/** What is none of the page pipeline's encodings is the page itself, with its hash behind it. */
function wayOf({ encoding }: PacketReader): PageWay {
  return ENCODINGS[encoding] ?? 'raw';
}

const FRAME_NAMES: Readonly<Record<number, string>> = {
  1: 'PAGE',
  2: 'ZERO',
  3: 'END',
  4: 'CONTROL',
  5: 'ACK',
  6: 'PARITY',
  7: 'PROBE',
  8: 'PING',
  9: 'CLOSE',
};

/** `PAGE ×3, ACK` */
function counted(words: readonly string[]): string {
  const runs: { word: string; n: number }[] = [];
  for (const word of words) {
    if (runs.at(-1)?.word === word) runs.at(-1)!.n++;
    else runs.push({ word, n: 1 });
  }
  return runs.map(({ word, n }) => (n > 1 ? `${word} ×${n}` : word)).join(', ');
}

function hex(connection: number): string {
  return connection.toString(16).padStart(8, '0');
}

/** The offset nearest to `reference` whose last 32 bits lie so far behind `base`. */
function expanded(seq: number, base: number, reference: number): number {
  return reference + ((seq - base - reference) | 0);
}
