/**
 * Whole frames around an IPv4 payload: Ethernet, IPv4 and UDP or ICMP echo, made in one buffer with one
 * copy of the payload. Frames come out padded to the Ethernet minimum with every checksum complete.
 */
import { type Decoded, decoded, refused } from './bytes.js';
import {
  decodeEthernet,
  ETH_HEADER_BYTES,
  ETHERTYPE_IPV4,
  newFrameBytes,
  writeEthernet,
} from './ethernet.js';
import { decodeIcmp, type EchoMessage, ICMP_HEADER_BYTES, type IcmpCode, writeEcho } from './icmp.js';
import {
  decodeIpv4,
  IPV4_HEADER_BYTES,
  type Ipv4Code,
  PROTOCOL_ICMP,
  PROTOCOL_UDP,
  writeIpv4,
} from './ipv4.js';
import { UDP_HEADER_BYTES, writeUdp } from './udp.js';

const IP_AT = ETH_HEADER_BYTES;
const TRANSPORT_AT = ETH_HEADER_BYTES + IPV4_HEADER_BYTES;

/** From whom to whom, on both layers; `ipId` is the identification field, 0..65535. */
export interface Addresses {
  readonly srcMac: number;
  readonly dstMac: number;
  readonly srcIp: number;
  readonly dstIp: number;
  readonly ipId: number;
}

export function udpFrame(a: Addresses, srcPort: number, dstPort: number, payload: Uint8Array): Uint8Array {
  const end = TRANSPORT_AT + UDP_HEADER_BYTES + payload.length;
  const b = newIpv4Frame(a, PROTOCOL_UDP, end);
  b.set(payload, TRANSPORT_AT + UDP_HEADER_BYTES);
  writeUdp(b, TRANSPORT_AT, end, a.srcIp, a.dstIp, srcPort, dstPort);
  return b;
}

/** An echo's numbers (0..65535) and its payload. */
export interface Echo {
  readonly kind: EchoMessage['kind'];
  readonly id: number;
  readonly seq: number;
  readonly payload: Uint8Array;
}

/** The ICMP message alone, for a raw socket whose kernel adds the rest. */
export function echoMessage(echo: Echo): Uint8Array {
  const b = new Uint8Array(ICMP_HEADER_BYTES + echo.payload.length);
  b.set(echo.payload, ICMP_HEADER_BYTES);
  writeEcho(b, 0, b.length, echo.kind, echo.id, echo.seq);
  return b;
}

function encodeEcho(a: Addresses, echo: Echo): Uint8Array {
  const end = TRANSPORT_AT + ICMP_HEADER_BYTES + echo.payload.length;
  const b = newIpv4Frame(a, PROTOCOL_ICMP, end);
  b.set(echo.payload, TRANSPORT_AT + ICMP_HEADER_BYTES);
  writeEcho(b, TRANSPORT_AT, end, echo.kind, echo.id, echo.seq);
  return b;
}

export type EchoCode = 'not-an-echo' | Ipv4Code | IcmpCode;

/** Reads a frame that carries an echo. The payload is a view of `b`, not a copy. */
function decodeEcho(b: Uint8Array): Decoded<Addresses & Echo, EchoCode> {
  const eth = decodeEthernet(b, 0, b.length);
  if (!eth.ok) return eth;
  if (eth.value.etherType !== ETHERTYPE_IPV4) return refused('not-an-echo', eth.value.payloadAt - 2);
  const ip = decodeIpv4(b, eth.value.payloadAt, b.length);
  if (!ip.ok) return ip;
  const { payloadAt, payloadEnd, protocol, fragment } = ip.value;
  if (protocol !== PROTOCOL_ICMP || fragment) return refused('not-an-echo', eth.value.payloadAt);
  const icmp = decodeIcmp(b, payloadAt, payloadEnd);
  if (!icmp.ok) return icmp;
  const m = icmp.value;
  if (m.kind !== 'echo-request' && m.kind !== 'echo-reply') return refused('not-an-echo', payloadAt);
  return decoded({
    srcMac: eth.value.src,
    dstMac: eth.value.dst,
    srcIp: ip.value.src,
    dstIp: ip.value.dst,
    ipId: ip.value.id,
    kind: m.kind,
    id: m.id,
    seq: m.seq,
    payload: b.subarray(m.payloadAt, m.payloadEnd),
  });
}

/** ICMP echo as whole frames: what a probe on a bridge port sends and recognises. */
export const echoCodec = { encode: encodeEcho, decode: decodeEcho } as const;

function newIpv4Frame(a: Addresses, protocol: number, end: number): Uint8Array {
  const b = newFrameBytes(end);
  writeEthernet(b, 0, a.dstMac, a.srcMac, ETHERTYPE_IPV4);
  writeIpv4(b, IP_AT, a.srcIp, a.dstIp, protocol, a.ipId, end - TRANSPORT_AT);
  return b;
}
