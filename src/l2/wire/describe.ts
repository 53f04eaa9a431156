/**
 * One line about a frame, as `tcpdump -e` has it, for traces:
 *
 *   52:54:00:00:00:01 > ff:ff:ff:ff:ff:ff, length 60: ARP who-has 10.0.0.2 tell 10.0.0.1
 *
 * Judges nothing: what cannot be read is named, with the reason.
 */
import { ARP_REPLY, ARP_REQUEST, type ArpPacket, decodeArp } from './arp.js';
import { readU16 } from './bytes.js';
import {
  decodeEthernet,
  ETHERTYPE_ARP,
  ETHERTYPE_IPV4,
  ETHERTYPE_IPV6,
  ETHERTYPE_RARP,
  formatMac,
} from './ethernet.js';
import { decodeIcmp } from './icmp.js';
import { decodeIpv4, formatIpv4, PROTOCOL_ICMP, PROTOCOL_TCP, PROTOCOL_UDP } from './ipv4.js';
import { decodeIpv6, formatIpv6, PROTOCOL_ICMPV6 } from './ipv6.js';
import { RARP_REQUEST } from './rarp.js';
import { decodeTcp, formatTcpFlags } from './tcp.js';
import { UDP_HEADER_BYTES } from './udp.js';
import { tagsOf } from './vlan-tag.js';

/** The line for a frame without FCS; never throws. */
export function describeFrame(b: Uint8Array): string {
  const eth = decodeEthernet(b, 0, b.length);
  if (!eth.ok) return `[runt], length ${b.length}`;
  const { src, dst, etherType, payloadAt } = eth.value;
  const tag = tagsOf(b, 0, b.length)
    .map(({ vid }) => `, vlan ${vid}`)
    .join('');
  return `${formatMac(src)} > ${formatMac(dst)}${tag}, length ${b.length}: ${payload(b, payloadAt, etherType)}`;
}

function payload(b: Uint8Array, at: number, etherType: number): string {
  switch (etherType) {
    case ETHERTYPE_ARP:
      return address('ARP', b, at, describeArp);
    case ETHERTYPE_RARP:
      return address('RARP', b, at, describeRarp);
    case ETHERTYPE_IPV4:
      return describeIpv4(b, at);
    case ETHERTYPE_IPV6:
      return describeIpv6(b, at);
    default:
      return `ethertype 0x${etherType.toString(16).padStart(4, '0')}`;
  }
}

function address(name: string, b: Uint8Array, at: number, describe: (p: ArpPacket) => string): string {
  const arp = decodeArp(b, at, b.length);
  return `${name} ${arp.ok ? describe(arp.value) : `[${arp.code}]`}`;
}

function describeArp(p: ArpPacket): string {
  const sender = formatIpv4(p.senderIp);
  const announcing = p.senderIp === p.targetIp ? ' (gratuitous)' : '';
  if (p.operation === ARP_REQUEST) return `who-has ${formatIpv4(p.targetIp)} tell ${sender}${announcing}`;
  if (p.operation === ARP_REPLY) return `${sender} is-at ${formatMac(p.senderMac)}${announcing}`;
  return `operation ${p.operation}`;
}

function describeRarp(p: ArpPacket): string {
  return p.operation === RARP_REQUEST
    ? `who-is ${formatMac(p.targetMac)} tell ${formatMac(p.senderMac)}`
    : `operation ${p.operation}, ${formatMac(p.targetMac)} at ${formatIpv4(p.targetIp)}`;
}

function describeIpv4(b: Uint8Array, at: number): string {
  const ip = decodeIpv4(b, at, b.length);
  if (!ip.ok) return `IP [${ip.code}]`;
  const { protocol, payloadAt, payloadEnd, fragment } = ip.value;
  const src = formatIpv4(ip.value.src);
  const dst = formatIpv4(ip.value.dst);
  if (fragment) return `IP ${src} > ${dst}: fragment of protocol ${protocol}, id ${ip.value.id}`;
  if (protocol === PROTOCOL_ICMP) return `IP ${src} > ${dst}: ${describeIcmp(b, payloadAt, payloadEnd)}`;
  return `IP ${transport(b, payloadAt, payloadEnd, protocol, src, dst)}`;
}

function describeIpv6(b: Uint8Array, at: number): string {
  const ip = decodeIpv6(b, at, b.length);
  if (!ip.ok) return `IP6 [${ip.code}]`;
  const { protocol, payloadAt, payloadEnd } = ip.value;
  const src = formatIpv6(b, ip.value.srcAt);
  const dst = formatIpv6(b, ip.value.dstAt);
  if (protocol === PROTOCOL_ICMPV6 && payloadAt < payloadEnd) {
    return `IP6 ${src} > ${dst}: ICMP6 type ${b[payloadAt]}, length ${payloadEnd - payloadAt}`;
  }
  return `IP6 ${transport(b, payloadAt, payloadEnd, protocol, src, dst)}`;
}

function describeIcmp(b: Uint8Array, at: number, end: number): string {
  const icmp = decodeIcmp(b, at, end);
  if (!icmp.ok) return `ICMP [${icmp.code}]`;
  const m = icmp.value;
  switch (m.kind) {
    case 'echo-request':
    case 'echo-reply':
      return `ICMP ${m.kind.replace('-', ' ')}, id ${m.id}, seq ${m.seq}, length ${end - at}`;
    case 'unreachable': {
      const whom = m.original ? ` for ${formatIpv4(m.original.dst)}:${m.original.dstPort ?? '?'}` : '';
      return `ICMP unreachable, code ${m.code}${whom}`;
    }
    case 'other':
      return `ICMP type ${m.type}, code ${m.code}`;
  }
}

/** Ports behind the addresses, `10.0.0.1.4000 > 10.0.0.2.5000: UDP, length 4`. */
function transport(
  b: Uint8Array,
  at: number,
  end: number,
  protocol: number,
  src: string,
  dst: string,
): string {
  if (protocol === PROTOCOL_TCP) {
    const tcp = decodeTcp(b, at, end);
    if (!tcp.ok) return `${src} > ${dst}: TCP [${tcp.code}]`;
    const { srcPort, dstPort, flags, seq, ack, window, payloadAt } = tcp.value;
    return (
      `${src}.${srcPort} > ${dst}.${dstPort}: TCP [${formatTcpFlags(flags)}], ` +
      `seq ${seq}, ack ${ack}, win ${window}, length ${end - payloadAt}`
    );
  }
  if (protocol === PROTOCOL_UDP) {
    if (end - at < UDP_HEADER_BYTES) return `${src} > ${dst}: UDP [truncated]`;
    const length = end - at - UDP_HEADER_BYTES;
    return `${src}.${readU16(b, at)} > ${dst}.${readU16(b, at + 2)}: UDP, length ${length}`;
  }
  return `${src} > ${dst}: protocol ${protocol}, length ${end - at}`;
}
