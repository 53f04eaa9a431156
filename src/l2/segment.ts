/**
 * Super-frames: counting the wire packets one stands for, and cutting it into smaller valid frames.
 *
 *   super-frame   │ headers │ p0 │ p1 │ p2 │ p3 │ p4 │        wire packet i = headers + p_i, gsoSize bytes each,
 *                                                              the last may be shorter
 *   lost = [2]    │ headers │ p0 │ p1 │    │ headers │ p3 │ p4 │
 *
 * What changes from packet to packet, and so from piece to piece (first = index of its first packet):
 *   IPv4      total length (0 where it exceeds 65,535, as Linux has it), identification + first, header checksum (updated, so that a wrong one stays wrong)
 *   IPv6      payload length
 *   TCP       sequence + first · gsoSize; FIN and PSH only with the last packet, CWR only with the first
 *   UDP       length
 *   checksum  every piece asks for completion (`CSUM_NEEDED`): its field holds the folded sum of the
 *             pseudo-header with the piece's own length, not complemented, as virtio has it
 *
 * The header length is recomputed from the headers: the standard calls `hdrLen` a hint. A frame whose
 * headers do not match its GSO type counts as one packet and is never cut.
 * Source: virtio 1.2, 5.1.6; RFC 9293; RFC 3168, section 6.1.2 (CWR); RFC 6864 (identification).
 * Left out: UFO (GSO_UDP: real IP fragments, which Linux no longer makes), tunnels inside a super-frame.
 */
import {
  bytesOf,
  CSUM_NEEDED,
  type Frame,
  frameOf,
  GSO_ECN,
  GSO_NONE,
  GSO_TCPV4,
  GSO_TCPV6,
  GSO_UDP_L4,
  LonghaulError,
  NO_OFFLOAD,
  type Offload,
} from '../core/index.js';
import type { L2ErrorCode } from './errors.js';
import { readU16, readU32, writeU16, writeU32 } from './wire/bytes.js';
import { checksum, foldSum, pseudoHeaderSumV4, pseudoHeaderSumV6, updateChecksum } from './wire/checksum.js';
import { ETHERTYPE_IPV4, ETHERTYPE_IPV6, ethernetPayloadAt } from './wire/ethernet.js';
import {
  IPV4_CHECKSUM,
  IPV4_DST,
  IPV4_ID,
  IPV4_PROTOCOL,
  IPV4_SRC,
  IPV4_TOTAL_LENGTH,
  ipv4HeaderBytes,
  PROTOCOL_TCP,
  PROTOCOL_UDP,
} from './wire/ipv4.js';
import { IPV6_HEADER_BYTES, IPV6_PAYLOAD_LENGTH, IPV6_SRC, ipv6TransportAt } from './wire/ipv6.js';
import { TCP_CHECKSUM, TCP_CWR, TCP_FIN, TCP_FLAGS, TCP_PSH, TCP_SEQ, tcpHeaderBytes } from './wire/tcp.js';
import { UDP_CHECKSUM, UDP_HEADER_BYTES, UDP_LENGTH } from './wire/udp.js';

/** What IPv4's field can say; a longer super-frame says 0 there (Linux 6.3, "BIG TCP"). */
const MAX_TOTAL_LENGTH = 65_535;

/** How many wire packets the frame stands for; 1 for an ordinary frame. Allocates nothing. */
export function packetsOf(frame: Frame): number {
  const { gsoSize } = frame.offload;
  if (gsoSize === 0) return 1;
  const headerBytes = headerLength(frame);
  return headerBytes < 0 ? 1 : Math.max(1, Math.ceil((frame.length - headerBytes) / gsoSize));
}

/**
 * Bytes of headers that each wire packet repeats, from the frame's start to its payload; -1 when the frame
 * is ordinary or its headers are not those of its GSO type. Allocates nothing.
 */
export function headerLength(frame: Frame): number {
  const transportAt = transportOffset(frame);
  if (transportAt < 0) return -1;
  const { data, start, length } = frame;
  const headerBytes = isUdp(frame)
    ? UDP_HEADER_BYTES
    : tcpHeaderBytes(data, start + transportAt, start + length);
  return headerBytes < 0 || transportAt + headerBytes > length ? -1 : transportAt + headerBytes;
}

/**
 * The piece of a super-frame that stands for `packetCount` wire packets from `firstPacket` on: a smaller
 * super-frame, or an ordinary frame when it is one packet. Fresh bytes without headroom; the frame itself,
 * uncopied, when the piece is all of it.
 * @throws LonghaulError `L2_CUT_RANGE` when the run is not within the frame's packets
 */
export function cut(frame: Frame, firstPacket: number, packetCount: number): Frame {
  const packets = packetsOf(frame);
  if (!(firstPacket >= 0 && packetCount >= 1 && firstPacket + packetCount <= packets)) {
    throw new LonghaulError<L2ErrorCode>(
      'L2_CUT_RANGE',
      `packets ${firstPacket}..${firstPacket + packetCount - 1} are outside 0..${packets - 1} of this frame`,
      { details: { firstPacket, packetCount, packets }, hint: 'ask packetsOf() first' },
    );
  }
  return packetCount === packets
    ? frame
    : piece(frame, headerLength(frame), firstPacket, packetCount, packets);
}

/** Where `cutInto` puts a piece: `pieceBytes` from `start` on. */
export interface PieceRoom {
  readonly data: Uint8Array;
  readonly start: number;
  length: number;
  readonly offload: Offload;
}

/** Bytes of the piece that stands for `packetCount` wire packets from `firstPacket` on, both within a super-frame's. */
export function pieceBytes(frame: Frame, firstPacket: number, packetCount: number): number {
  return lengthOfPiece(frame, headerLength(frame), firstPacket, packetCount);
}

/** `cut` of a part of a super-frame into memory of the caller's. The run is one that `packetsOf` allows. */
export function cutInto(frame: Frame, firstPacket: number, packetCount: number, into: PieceRoom): void {
  fillPiece(frame, headerLength(frame), firstPacket, packetCount, packetsOf(frame), into);
}

/**
 * What is left of a frame when the wire packets `lost` (ascending, duplicates allowed) are gone: the maximal
 * surviving runs in order. The frame itself when nothing is lost, nothing when all is.
 */
export function cutAround(frame: Frame, lost: readonly number[]): Frame[] {
  const packets = packetsOf(frame);
  const pieces: Frame[] = [];
  let first = 0;
  for (const hit of lost) {
    if (hit >= packets) break;
    if (hit > first) pieces.push(cut(frame, first, hit - first));
    first = Math.max(first, hit + 1);
  }
  if (first < packets) pieces.push(cut(frame, first, packets - first));
  return pieces;
}

/** The frame in pieces of at most `packetsPerPiece` wire packets (never less than one), in order. */
export function cutEvery(frame: Frame, packetsPerPiece: number): Frame[] {
  const packets = packetsOf(frame);
  const step = Math.max(1, Math.floor(packetsPerPiece));
  const pieces: Frame[] = [];
  for (let first = 0; first < packets; first += step) {
    pieces.push(cut(frame, first, Math.min(step, packets - first)));
  }
  return pieces;
}

/**
 * An ordinary frame whose checksum nobody has to finish or to take on trust: fresh bytes with the whole
 * checksum in place and no offload state. Needed where a port has no virtio header, and before bytes are
 * corrupted: else the receiving kernel believes them. A frame without a pending checksum keeps its bytes;
 * super-frames are cut first (`toWirePackets`).
 */
export function completeChecksum(frame: Frame): Frame {
  const { data, start, length, offload } = frame;
  if ((offload.flags & CSUM_NEEDED) === 0) return { data, start, length, offload: NO_OFFLOAD };
  // Not slice(): on a Node Buffer that is a view, and the bytes may be on their way to another port too.
  const bytes = new Uint8Array(bytesOf(frame));
  finishChecksum(bytes, 0, length, offload);
  return frameOf(bytes);
}

/**
 * Every wire packet the frame stands for, as plain bytes with complete checksums. One copy of the payload;
 * a view of the frame's own bytes when it is one packet with nothing to finish.
 */
export function toWirePackets(frame: Frame): Uint8Array[] {
  const packets = packetsOf(frame);
  if (packets === 1) return [bytesOf(completeChecksum(frame))];
  const headerBytes = headerLength(frame);
  const wire: Uint8Array[] = [];
  for (let i = 0; i < packets; i++) {
    const { data, start, length, offload } = piece(frame, headerBytes, i, 1, packets);
    finishChecksum(data, start, length, offload);
    wire.push(data);
  }
  return wire;
}

/** Cuts without asking whether it can. */
function piece(frame: Frame, headerBytes: number, first: number, count: number, packets: number): Frame {
  // No headroom: a pooled frame's start is its offset in a slab of megabytes.
  const length = lengthOfPiece(frame, headerBytes, first, count);
  const room = { data: new Uint8Array(length), start: 0, length, offload: { ...NO_OFFLOAD } };
  fillPiece(frame, headerBytes, first, count, packets, room);
  return room;
}

function lengthOfPiece(frame: Frame, headerBytes: number, first: number, count: number): number {
  const { gsoSize } = frame.offload;
  return Math.min(frame.length - first * gsoSize, headerBytes + count * gsoSize);
}

function fillPiece(
  frame: Frame,
  headerBytes: number,
  first: number,
  count: number,
  packets: number,
  into: PieceRoom,
): void {
  const { data, start, offload } = frame;
  const { data: b, start: at } = into;
  const length = lengthOfPiece(frame, headerBytes, first, count);
  const from = start + headerBytes + first * offload.gsoSize;
  b.set(data.subarray(start, start + headerBytes), at);
  b.set(data.subarray(from, from + length - headerBytes), at + headerBytes);

  const udp = isUdp(frame);
  const transport = transportOffset(frame);
  const network = ethernetPayloadAt(data, start, start + frame.length) - start;
  const transportLength = length - transport;
  rewriteNetwork(b, at + network, at + length, first);
  if (udp) writeU16(b, at + transport + UDP_LENGTH, transportLength);
  else rewriteTcp(b, at + transport, first * offload.gsoSize, first === 0, first + count === packets);
  const csumOffset = udp ? UDP_CHECKSUM : TCP_CHECKSUM;
  const protocol = udp ? PROTOCOL_UDP : PROTOCOL_TCP;
  writeU16(b, at + transport + csumOffset, pseudoSum(b, at + network, protocol, transportLength));

  const one = count === 1;
  into.length = length;
  const o = into.offload;
  o.flags = CSUM_NEEDED;
  o.gsoType = one ? GSO_NONE : offload.gsoType;
  o.hdrLen = one ? 0 : headerBytes;
  o.gsoSize = one ? 0 : offload.gsoSize;
  o.csumStart = transport;
  o.csumOffset = csumOffset;
}

function rewriteNetwork(b: Uint8Array, at: number, end: number, first: number): void {
  if (b[at]! >>> 4 === 6) {
    writeU16(b, at + IPV6_PAYLOAD_LENGTH, end - at - IPV6_HEADER_BYTES);
    return;
  }
  replaceChecked(b, at, IPV4_TOTAL_LENGTH, end - at > MAX_TOTAL_LENGTH ? 0 : end - at);
  replaceChecked(b, at, IPV4_ID, (readU16(b, at + IPV4_ID) + first) & 0xffff);
}

/** Replaces a 16-bit field of the IPv4 header at `at`, and its share of the header checksum. */
function replaceChecked(b: Uint8Array, at: number, field: number, value: number): void {
  const check = updateChecksum(readU16(b, at + IPV4_CHECKSUM), readU16(b, at + field), value);
  writeU16(b, at + field, value);
  writeU16(b, at + IPV4_CHECKSUM, check);
}

function rewriteTcp(
  b: Uint8Array,
  at: number,
  skippedBytes: number,
  isFirst: boolean,
  isLast: boolean,
): void {
  writeU32(b, at + TCP_SEQ, readU32(b, at + TCP_SEQ) + skippedBytes);
  let flags = b[at + TCP_FLAGS]!;
  if (!isLast) flags &= ~(TCP_FIN | TCP_PSH);
  if (!isFirst) flags &= ~TCP_CWR;
  b[at + TCP_FLAGS] = flags;
}

function pseudoSum(b: Uint8Array, networkAt: number, protocol: number, length: number): number {
  if (b[networkAt]! >>> 4 === 6) return foldSum(pseudoHeaderSumV6(b, networkAt + IPV6_SRC, protocol, length));
  const src = readU32(b, networkAt + IPV4_SRC);
  const dst = readU32(b, networkAt + IPV4_DST);
  return foldSum(pseudoHeaderSumV4(src, dst, protocol, length));
}

/**
 * Sums from `csumStart` to the frame's end over the pseudo-header's sum that the field holds, in place.
 * 0 goes out as 0xffff: UDP reads 0 as "no checksum", and to all others the two are the same number.
 * Offsets outside the frame are left to the receiver, which will find the checksum wrong.
 */
function finishChecksum(b: Uint8Array, start: number, length: number, offload: Readonly<Offload>): void {
  const { csumStart, csumOffset } = offload;
  const fieldAt = start + csumStart + csumOffset;
  if (fieldAt + 2 > start + length) return;
  writeU16(b, fieldAt, checksum(b, start + csumStart, start + length) || 0xffff);
}

function isUdp(frame: Frame): boolean {
  return (frame.offload.gsoType & ~GSO_ECN) === GSO_UDP_L4;
}

/** Offset of the TCP or UDP header from the frame's start, -1 unless the headers are those of its GSO type. */
function transportOffset(frame: Frame): number {
  const { data, start, length, offload } = frame;
  const type = offload.gsoType & ~GSO_ECN;
  if (offload.gsoSize === 0 || (type !== GSO_TCPV4 && type !== GSO_TCPV6 && type !== GSO_UDP_L4)) return -1;
  const end = start + length;
  const network = ethernetPayloadAt(data, start, end);
  if (network < 0) return -1;
  const protocol = type === GSO_UDP_L4 ? PROTOCOL_UDP : PROTOCOL_TCP;
  const etherType = readU16(data, network - 2);
  if (etherType === ETHERTYPE_IPV4 && type !== GSO_TCPV6) {
    const headerBytes = ipv4HeaderBytes(data, network, end);
    return headerBytes < 0 || data[network + IPV4_PROTOCOL] !== protocol ? -1 : network + headerBytes - start;
  }
  if (etherType === ETHERTYPE_IPV6 && type !== GSO_TCPV4) {
    const at = ipv6TransportAt(data, network, end, protocol);
    return at < 0 ? -1 : at - start;
  }
  return -1;
}
