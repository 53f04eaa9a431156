/**
 * Classic pcap: a header of 24 bytes, then packets.
 *
 *   0 magic u32 │ 4 major u16 │ 6 minor u16 │ 8 zone i32 │ 12 accuracy u32 │ 16 snap length u32 │ 20 link type u32
 *   packet: seconds u32 │ µs or ns u32 │ captured u32 │ original u32 │ captured bytes
 *
 * The magic shows byte order and resolution. Source: draft-ietf-opsawg-pcap, sections 4 and 5.
 * `readClassicHeader` refuses what is not read: version 2.3 and older, whose lengths are swapped, and the variant
 * with longer packet headers.
 */
import type { BlockBuffer } from './block-buffer.js';
import { type CaptureDamage, type CaptureEpoch, MAX_SNAP_BYTES } from './captured-packet.js';

export const CLASSIC_HEADER_BYTES = 24;
export const CLASSIC_PACKET_HEADER_BYTES = 16;
export const MAGIC_US = 0xa1b2c3d4;
export const MAGIC_NS = 0xa1b23c4d;
/** Alexey Kuznetsov's, with 24 bytes before each packet. */
const MAGIC_LONG_HEADERS = 0xa1b2cd34;

const VERSION_MAJOR = 4;
const VERSION_MINOR = 6;
const SNAP = 16;
const LINK = 20;
/** Above them the link type's field says how many bytes of FCS follow each packet. */
const LINK_BITS = 0x0fff_ffff;

export interface ClassicHeader {
  readonly littleEndian: boolean;
  readonly resolution: 'us' | 'ns';
  readonly linkType: number;
  /** As the file has it. */
  readonly snapBytes: number;
  /** The longest packet that is accepted: the snap length where that says anything, else what libpcap takes. */
  readonly mostBytes: number;
}

export type ClassicHeaderRead =
  | { readonly ok: true; readonly value: ClassicHeader }
  | { readonly ok: false; readonly damage: CaptureDamage };

/** Reads the header, of which all 24 bytes must be there. */
export function readClassicHeader(b: Uint8Array): ClassicHeaderRead {
  const view = new DataView(b.buffer, b.byteOffset, b.byteLength);
  const magics = [MAGIC_US, MAGIC_NS, MAGIC_LONG_HEADERS];
  const littleEndian = magics.includes(view.getUint32(0, true));
  const magic = view.getUint32(0, littleEndian);
  const refused = (text: string, offset: number): ClassicHeaderRead => ({
    ok: false,
    damage: { code: 'CAPTURE_VERSION', text, offset },
  });
  if (magic === MAGIC_LONG_HEADERS) {
    return refused('a pcap variant with longer packet headers (magic a1b2cd34); plain pcap is expected', 0);
  }
  const major = view.getUint16(VERSION_MAJOR, littleEndian);
  const minor = view.getUint16(VERSION_MINOR, littleEndian);
  if (major !== 2 || minor !== 4)
    return refused(`pcap version ${major}.${minor}; 2.4 is expected`, VERSION_MAJOR);
  const snapBytes = view.getUint32(SNAP, littleEndian);
  return {
    ok: true,
    value: {
      littleEndian,
      resolution: magic === MAGIC_NS ? 'ns' : 'us',
      linkType: view.getUint32(LINK, littleEndian) & LINK_BITS,
      snapBytes,
      mostBytes: snapBytes === 0 ? MAX_SNAP_BYTES : Math.min(snapBytes, MAX_SNAP_BYTES),
    },
  };
}

/** Whether these first bytes are those of a classic capture, of any variant. */
export function isClassicMagic(b: Uint8Array): boolean {
  if (b.length < 4) return false;
  const view = new DataView(b.buffer, b.byteOffset, 4);
  return [MAGIC_US, MAGIC_NS, MAGIC_LONG_HEADERS].some(
    (magic) => view.getUint32(0, true) === magic || view.getUint32(0, false) === magic,
  );
}

/** Writes classic pcap, little-endian. */
export class ClassicEncoder {
  readonly #out: BlockBuffer;
  readonly #epoch: CaptureEpoch;
  readonly #resolution: 'us' | 'ns';

  constructor(out: BlockBuffer, epoch: CaptureEpoch, resolution: 'us' | 'ns') {
    this.#out = out;
    this.#epoch = epoch;
    this.#resolution = resolution;
  }

  header(snapBytes: number, linkType: number): void {
    const out = this.#out;
    out.u32(this.#resolution === 'ns' ? MAGIC_NS : MAGIC_US);
    out.u16(2);
    out.u16(4);
    out.u32(0);
    out.u32(0);
    out.u32(snapBytes);
    out.u32(linkType);
  }

  /** A packet whose captured bytes are `start..end` of `data`; microseconds are rounded down. */
  packet(atNs: number, data: Uint8Array, start: number, end: number, originalBytes: number): void {
    const { seconds, nanoseconds } = this.#epoch;
    const carry = Math.floor((nanoseconds + atNs) / 1e9);
    const rest = nanoseconds + atNs - carry * 1e9;
    const out = this.#out;
    out.u32(seconds + carry);
    out.u32(this.#resolution === 'ns' ? rest : Math.floor(rest / 1000));
    out.u32(end - start);
    out.u32(originalBytes);
    out.put(data, start, end);
  }
}
