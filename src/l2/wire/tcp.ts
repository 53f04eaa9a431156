/**
 * The TCP header, as far as segmentation and traces look at it.
 *
 *   0           2           4          8          12   13    14       16         18       20
 *   ┌───────────┬───────────┬──────────┬──────────┬────┬─────┬────────┬──────────┬────────┬─────────┐
 *   │ src port  │ dst port  │ sequence │ ack      │len │flags│ window │ checksum │ urgent │ options │
 *   └───────────┴───────────┴──────────┴──────────┴────┴─────┴────────┴──────────┴────────┴─────────┘
 *
 * Source: RFC 9293, section 3.1; ECE and CWR RFC 3168. Left out: options (skipped), and the checksum, which
 * offload leaves unfinished in frames that are quite right (segment.ts).
 */
import { type Decoded, decoded, readU16, readU32, refused } from './bytes.js';

const SRC_PORT = 0;
const DST_PORT = 2;
export const TCP_SEQ = 4;
const ACK = 8;
const DATA_OFFSET = 12;
export const TCP_FLAGS = 13;
const WINDOW = 14;
export const TCP_CHECKSUM = 16;
export const TCP_HEADER_BYTES = 20;

export const TCP_FIN = 0x01;
export const TCP_SYN = 0x02;
export const TCP_RST = 0x04;
export const TCP_PSH = 0x08;
export const TCP_ACK = 0x10;
export const TCP_URG = 0x20;
export const TCP_ECE = 0x40;
export const TCP_CWR = 0x80;

export interface TcpHeader {
  readonly srcPort: number;
  readonly dstPort: number;
  readonly seq: number;
  readonly ack: number;
  readonly flags: number;
  /** Unscaled. */
  readonly window: number;
  readonly payloadAt: number;
}

export type TcpCode = 'truncated' | 'data-offset';

/** Bytes of the header at `at` by its data offset; -1 unless it lies before `end`. */
export function tcpHeaderBytes(b: Uint8Array, at: number, end: number): number {
  if (end - at < TCP_HEADER_BYTES) return -1;
  const bytes = (b[at + DATA_OFFSET]! >>> 4) * 4;
  return bytes >= TCP_HEADER_BYTES && bytes <= end - at ? bytes : -1;
}

export function decodeTcp(b: Uint8Array, at: number, end: number): Decoded<TcpHeader, TcpCode> {
  if (end - at < TCP_HEADER_BYTES) return refused('truncated', end);
  const headerBytes = tcpHeaderBytes(b, at, end);
  if (headerBytes < 0) return refused('data-offset', at + DATA_OFFSET);
  return decoded({
    srcPort: readU16(b, at + SRC_PORT),
    dstPort: readU16(b, at + DST_PORT),
    seq: readU32(b, at + TCP_SEQ),
    ack: readU32(b, at + ACK),
    flags: b[at + TCP_FLAGS]!,
    window: readU16(b, at + WINDOW),
    payloadAt: at + headerBytes,
  });
}

const FLAG_LETTERS = 'FSRPAUEC';

/** Flags as letters in bit order, `SA` for SYN and ACK, `.` for none. */
export function formatTcpFlags(flags: number): string {
  const letters = [...FLAG_LETTERS].filter((_, bit) => (flags >>> bit) & 1).join('');
  return letters || '.';
}
