/**
 * What a TCP socket is told about its sending, and what it says of it. tcp(7), socket(7); struct tcp_info of linux/tcp.h.
 */
import { sysError } from './errno.js';
import { errno, libc } from './libc.js';
import { NativeStruct } from './native-struct.js';
import { trySetOption } from './socket.js';

const SOL_SOCKET = 1;
const SO_RCVLOWAT = 18;
const SO_MAX_PACING_RATE = 47;
const IPPROTO_TCP = 6;
const TCP_INFO = 11;
const TCP_CONGESTION = 13;

/** As a u32, whose highest value means no limit. */
const PACING_MAX = 0xffff_fffe;

const NAME_BYTES = 16;
const INFO_BYTES = 256;
const TOTAL_RETRANS_AT = 100;
const PACING_RATE_AT = 104;
const SEGS_OUT_AT = 136;
const MIN_RTT_AT = 148;
/** What the kernel says for "not paced", and for "no round trip measured". */
const NO_PACING = 0xffff_ffff_ffff_ffffn;
const NO_RTT_US = 0xffff_ffff;

const length = new NativeStruct(4);
const text = new NativeStruct(NAME_BYTES);
const info = new NativeStruct(INFO_BYTES);

export interface TcpFigures {
  readonly segmentsSent: number;
  readonly segmentsResent: number;
  /** Payload bytes a second at which the kernel lets segments leave; Infinity when it does not pace. */
  readonly pacingBytesPerS: number;
  /** Shortest round trip, ns; 0 before the first. */
  readonly rttMinNs: number;
}

/** Lets at most so many payload bytes a second leave: the kernel paces them. */
export function limitPacing(fd: number, bytesPerS: number): void {
  trySetOption(fd, SOL_SOCKET, SO_MAX_PACING_RATE, Math.min(Math.floor(bytesPerS), PACING_MAX));
}

/**
 * Lets poll(2) say that there is something to read only when so many bytes are, or the peer has closed. The kernel
 * lowers it to half of what the socket may hold.
 */
export function setReadableFrom(fd: number, bytes: number): void {
  trySetOption(fd, SOL_SOCKET, SO_RCVLOWAT, bytes);
}

/** Chooses the congestion control. @throws when the kernel has none of this name, or does not allow it here */
export function setCongestion(fd: number, name: string): void {
  const bytes = new TextEncoder().encode(name);
  for (let i = 0; i < NAME_BYTES; i++) text.view.setUint8(i, bytes[i] ?? 0);
  if (libc.setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, text.address, bytes.length) === -1)
    throw sysError(`TCP congestion control ${name}`, errno());
}

export function congestionName(fd: number): string {
  length.view.setUint32(0, NAME_BYTES, true);
  if (libc.getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, text.address, length.address) === -1) return '';
  const end = text.bytes.indexOf(0);
  return new TextDecoder().decode(text.bytes.subarray(0, end < 0 ? NAME_BYTES : end));
}

/** Null when the socket is none, or no more. */
export function tcpFigures(fd: number): TcpFigures | null {
  length.view.setUint32(0, INFO_BYTES, true);
  info.bytes.fill(0);
  if (libc.getsockopt(fd, IPPROTO_TCP, TCP_INFO, info.address, length.address) === -1) return null;
  const pacing = info.view.getBigUint64(PACING_RATE_AT, true);
  const rttUs = info.view.getUint32(MIN_RTT_AT, true);
  return {
    segmentsSent: info.view.getUint32(SEGS_OUT_AT, true),
    segmentsResent: info.view.getUint32(TOTAL_RETRANS_AT, true),
    pacingBytesPerS: pacing === NO_PACING ? Number.POSITIVE_INFINITY : Number(pacing),
    rttMinNs: rttUs === NO_RTT_US ? 0 : rttUs * 1000,
  };
}
