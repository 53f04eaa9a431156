/** The TCP segment or UDP datagram that a frame carries, with who it is from and for: what streams are put together from. */
import {
  decodeTcp,
  ETHERTYPE_IPV4,
  ETHERTYPE_IPV6,
  ethernetPayloadAt,
  formatIpv4,
  formatIpv6,
  IPV4_DST,
  IPV4_FRAGMENT,
  IPV4_PROTOCOL,
  IPV4_SRC,
  IPV4_TOTAL_LENGTH,
  IPV6_DST,
  IPV6_HEADER_BYTES,
  IPV6_PAYLOAD_LENGTH,
  IPV6_SRC,
  ipv4HeaderBytes,
  ipv6TransportAt,
  PROTOCOL_TCP,
  PROTOCOL_UDP,
  UDP_HEADER_BYTES,
} from '../l2/index.js';

export interface Transport {
  readonly protocol: 'tcp' | 'udp';
  /** `10.0.0.1:4000` */
  readonly src: string;
  readonly dst: string;
  readonly srcPort: number;
  readonly dstPort: number;
  /** Of TCP; 0 of UDP. */
  readonly seq: number;
  readonly flags: number;
  readonly payload: Uint8Array;
}

const LATER_FRAGMENT_MASK = 0x1fff;

/** Null for a frame that carries neither, or a later fragment. Checksums are not looked at: captures of offloading cards have none. */
export function transportOf(frame: Uint8Array): Transport | null {
  const at = ethernetPayloadAt(frame, 0, frame.length);
  if (at < 0) return null;
  const etherType = u16(frame, at - 2);
  if (etherType === ETHERTYPE_IPV4) return ofIpv4(frame, at);
  return etherType === ETHERTYPE_IPV6 ? ofIpv6(frame, at) : null;
}

function ofIpv4(b: Uint8Array, at: number): Transport | null {
  const header = ipv4HeaderBytes(b, at, b.length);
  if (header < 0 || (u16(b, at + IPV4_FRAGMENT) & LATER_FRAGMENT_MASK) !== 0) return null;
  // A super-frame of 64 KiB and more says 0.
  const total = u16(b, at + IPV4_TOTAL_LENGTH) || b.length - at;
  const view = new DataView(b.buffer, b.byteOffset);
  const src = formatIpv4(view.getUint32(at + IPV4_SRC));
  const dst = formatIpv4(view.getUint32(at + IPV4_DST));
  return of(b, at + header, Math.min(b.length, at + total), b[at + IPV4_PROTOCOL]!, src, dst);
}

function ofIpv6(b: Uint8Array, at: number): Transport | null {
  const end = Math.min(b.length, at + IPV6_HEADER_BYTES + u16(b, at + IPV6_PAYLOAD_LENGTH));
  for (const protocol of [PROTOCOL_TCP, PROTOCOL_UDP]) {
    const transportAt = ipv6TransportAt(b, at, end, protocol);
    if (transportAt < 0) continue;
    const src = `[${formatIpv6(b, at + IPV6_SRC)}]`;
    return of(b, transportAt, end, protocol, src, `[${formatIpv6(b, at + IPV6_DST)}]`);
  }
  return null;
}

function of(
  b: Uint8Array,
  at: number,
  end: number,
  protocol: number,
  from: string,
  to: string,
): Transport | null {
  if (protocol === PROTOCOL_TCP) {
    const tcp = decodeTcp(b, at, end);
    if (!tcp.ok) return null;
    const { srcPort, dstPort, seq, flags, payloadAt } = tcp.value;
    const payload = b.subarray(payloadAt, end);
    return {
      protocol: 'tcp',
      src: `${from}:${srcPort}`,
      dst: `${to}:${dstPort}`,
      srcPort,
      dstPort,
      seq,
      flags,
      payload,
    };
  }
  if (protocol !== PROTOCOL_UDP || end - at < UDP_HEADER_BYTES) return null;
  const [srcPort, dstPort] = [u16(b, at), u16(b, at + 2)];
  const payload = b.subarray(at + UDP_HEADER_BYTES, end);
  return {
    protocol: 'udp',
    src: `${from}:${srcPort}`,
    dst: `${to}:${dstPort}`,
    srcPort,
    dstPort,
    seq: 0,
    flags: 0,
    payload,
  };
}

function u16(b: Uint8Array, at: number): number {
  return (b[at]! << 8) | b[at + 1]!;
}
