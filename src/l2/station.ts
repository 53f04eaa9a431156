/**
 * A small IPv4 end station: what stands behind a loopback client, a vMotion port and the guest's own NIC.
 *
 *   frame-received ──► Ethernet ──┬─ ARP ──► learn, answer for our address ──► send
 *                                 └─ IPv4 ─┬─ ICMP echo request ─────────────► send (reply)
 *                                          ├─ ICMP echo reply, unreachable ──► echo-reply-received, …
 *                                          └─ UDP ───────────────────────────► udp-received
 *   udp-requested, echo-requested ──► MAC known? ──► send
 *                                        └─ no ──► park, ask by ARP (neighbours.ts), woke ──► ask again or drop
 *
 * Every checksum is verified; every frame that comes in and every datagram asked for ends in one counter.
 * Source: RFC 826, 791, 792, 768; RFC 1122, section 3.2.2.6 (echo).
 * Left out: routing (every peer is on the link), fragmentation either way (too big is refused, fragments
 * are dropped), IP options (skipped), VLAN tags.
 */
import type { Machine } from '../core/index.js';
import { Neighbours, UNKNOWN_MAC } from './neighbours.js';
import {
  checkStationConfig,
  DEFAULT_STATION_MTU,
  DEFAULT_STATION_PREFIX,
  type Endpoint,
  noDrops,
  noRefusals,
  type StationAction,
  type StationConfig,
  type StationCounters,
  type StationDropReason,
  type StationEvent,
  type StationRefusal,
} from './station-contract.js';
import { ARP_REPLY, ARP_REQUEST, arpFrame, decodeArp } from './wire/arp.js';
import { readU16, readU48, writeU48 } from './wire/bytes.js';
import { type Addresses, echoCodec, udpFrame } from './wire/datagram.js';
import {
  BROADCAST_MAC,
  ETH_DST,
  ETH_HEADER_BYTES,
  ETH_SRC,
  ETH_TYPE,
  ETHERTYPE_ARP,
  ETHERTYPE_IPV4,
  isGroupMac,
} from './wire/ethernet.js';
import { decodeIcmp, type EchoMessage, ICMP_HEADER_BYTES } from './wire/icmp.js';
import {
  BROADCAST_IPV4,
  decodeIpv4,
  IPV4_HEADER_BYTES,
  type Ipv4Header,
  PROTOCOL_ICMP,
  PROTOCOL_UDP,
} from './wire/ipv4.js';
import { decodeUdp, UDP_HEADER_BYTES } from './wire/udp.js';

export class EndStation implements Machine<StationEvent, StationAction> {
  readonly mac: number;
  readonly ip: number;
  readonly mtu: number;
  readonly #netmask: number;
  readonly #subnetBroadcast: number;
  readonly #neighbours = new Neighbours();
  readonly #askAgain: number[] = [];
  #ipId = 0;
  #framesIn = 0;
  #arp = 0;
  #echoRequests = 0;
  #echoReplies = 0;
  #unreachable = 0;
  #udp = 0;
  #requested = 0;
  #sent = 0;
  #addressConflicts = 0;
  readonly #drops = noDrops();
  readonly #refusals = noRefusals();

  /** @throws ConfigError `L2_STATION_RANGE` */
  constructor(config: StationConfig) {
    const { mac, ip, prefix = DEFAULT_STATION_PREFIX, mtu = DEFAULT_STATION_MTU } = config;
    checkStationConfig({ mac, ip, prefix, mtu });
    this.mac = mac;
    this.ip = ip;
    this.mtu = mtu;
    this.#netmask = prefix === 0 ? 0 : (-1 << (32 - prefix)) >>> 0;
    // A /31 or /32 has no room for a broadcast address of its own (RFC 3021).
    this.#subnetBroadcast = prefix > 30 ? BROADCAST_IPV4 : (ip | ~this.#netmask) >>> 0;
  }

  step(nowNs: number, event: StationEvent, out: StationAction[]): void {
    switch (event.type) {
      case 'frame-received':
        this.receive(nowNs, event.bytes, out);
        break;
      case 'udp-requested':
        this.sendUdp(nowNs, event.to, event.fromPort, event.payload, out);
        break;
      case 'echo-requested':
        this.sendEcho(nowNs, event.to, event.id, event.seq, event.payload, out);
        break;
      case 'woke':
        break;
    }
    if (nowNs >= this.nextWakeNs()) this.#resolveAgain(nowNs, out);
  }

  nextWakeNs(): number {
    return this.#neighbours.nextWakeNs();
  }

  /** Takes a frame, without the event object. */
  receive(nowNs: number, bytes: Uint8Array, out: StationAction[]): void {
    this.#framesIn++;
    const reason = this.#take(nowNs, bytes, out);
    if (reason !== null) this.#drops[reason]++;
  }

  /** Sends a datagram, or parks it until the address is known, or counts why not. */
  sendUdp(nowNs: number, to: Endpoint, fromPort: number, payload: Uint8Array, out: StationAction[]): void {
    if (!this.#admit(to.ip, UDP_HEADER_BYTES + payload.length, to.port, fromPort)) return;
    const mac = this.#macFor(nowNs, to.ip);
    const frame = udpFrame(this.#towards(mac, to.ip), fromPort, to.port, payload);
    this.#dispatch(nowNs, to.ip, mac, frame, out);
  }

  /** Sends an ICMP echo request, or parks it, or counts why not. */
  sendEcho(
    nowNs: number,
    ip: number,
    id: number,
    seq: number,
    payload: Uint8Array,
    out: StationAction[],
  ): void {
    if (!this.#admit(ip, ICMP_HEADER_BYTES + payload.length, id, seq)) return;
    const mac = this.#macFor(nowNs, ip);
    const frame = echoCodec.encode(this.#towards(mac, ip), { kind: 'echo-request', id, seq, payload });
    this.#dispatch(nowNs, ip, mac, frame, out);
  }

  counters(): StationCounters {
    return {
      framesIn: this.#framesIn,
      arp: this.#arp,
      echoRequests: this.#echoRequests,
      echoReplies: this.#echoReplies,
      unreachable: this.#unreachable,
      udp: this.#udp,
      drops: { ...this.#drops },
      requested: this.#requested,
      sent: this.#sent,
      pending: this.#neighbours.pendingFrames,
      refusals: { ...this.#refusals },
      addressConflicts: this.#addressConflicts,
    };
  }

  /** Takes what is for this station, or says why not; so do the others below, layer by layer. */
  #take(nowNs: number, b: Uint8Array, out: StationAction[]): StationDropReason | null {
    if (b.length < ETH_HEADER_BYTES) return 'runt';
    const dst = readU48(b, ETH_DST);
    if (dst !== this.mac && dst !== BROADCAST_MAC) return 'other-mac';
    switch (readU16(b, ETH_TYPE)) {
      case ETHERTYPE_IPV4:
        return this.#takeIpv4(nowNs, b, dst === BROADCAST_MAC, out);
      case ETHERTYPE_ARP:
        return this.#takeArp(nowNs, b, out);
      default:
        return 'other-ethertype';
    }
  }

  #takeArp(nowNs: number, b: Uint8Array, out: StationAction[]): StationDropReason | null {
    const arp = decodeArp(b, ETH_HEADER_BYTES, b.length);
    // A group address as sender would have us send our unicast to everybody.
    if (!arp.ok || isGroupMac(arp.value.senderMac)) return 'bad-arp';
    this.#arp++;
    const { operation, senderMac, senderIp, targetIp } = arp.value;
    if (senderIp === this.ip) {
      if (senderMac !== this.mac) this.#addressConflicts++;
    } else if (senderIp !== 0) {
      // An address probe (RFC 5227, 2.1.1) has sender 0: its sender does not own an address yet.
      this.#meet(nowNs, senderIp, senderMac, targetIp === this.ip, out);
    }
    if (operation === ARP_REQUEST && targetIp === this.ip && senderMac !== this.mac) {
      const mine = { operation: ARP_REPLY, senderMac: this.mac, senderIp: this.ip };
      const reply = { ...mine, targetMac: senderMac, targetIp: senderIp };
      out.push({ type: 'send', bytes: arpFrame(senderMac, this.mac, reply) });
    }
    return null;
  }

  #takeIpv4(
    nowNs: number,
    b: Uint8Array,
    broadcast: boolean,
    out: StationAction[],
  ): StationDropReason | null {
    const decoded = decodeIpv4(b, ETH_HEADER_BYTES, b.length);
    if (!decoded.ok) return decoded.code === 'checksum' ? 'ip-checksum' : 'bad-ip';
    const ip = decoded.value;
    if (ip.dst !== this.ip && !(broadcast && this.#isBroadcast(ip.dst))) return 'other-ip';
    if (ip.fragment) return 'fragment';
    if (!broadcast) this.#glean(nowNs, ip.src, readU48(b, ETH_SRC), out);
    switch (ip.protocol) {
      case PROTOCOL_UDP:
        return this.#takeUdp(b, ip, out);
      case PROTOCOL_ICMP:
        return this.#takeIcmp(b, ip, out);
      default:
        return 'other-protocol';
    }
  }

  /**
   * A stranger's datagram tells its MAC too. A guest that has just moved knows nobody: its first answer must
   * not wait for a round trip of ARP over the fiber. ARP's word goes before: nothing known is overwritten.
   */
  #glean(nowNs: number, ip: number, mac: number, out: StationAction[]): void {
    if (this.#neighbours.macOf(nowNs, ip) !== UNKNOWN_MAC || isGroupMac(mac)) return;
    if (ip === 0 || ip === this.ip || this.#isBroadcast(ip) || !this.#isOnLink(ip)) return;
    this.#meet(nowNs, ip, mac, true, out);
  }

  /** Notes whose address it is, and sends what waited for it. */
  #meet(nowNs: number, ip: number, mac: number, isForUs: boolean, out: StationAction[]): void {
    for (const frame of this.#neighbours.learn(nowNs, ip, mac, isForUs)) {
      writeU48(frame, ETH_DST, mac);
      this.#send(frame, out);
    }
  }

  #takeUdp(b: Uint8Array, ip: Ipv4Header, out: StationAction[]): StationDropReason | null {
    const udp = decodeUdp(b, ip.payloadAt, ip.payloadEnd, ip.src, ip.dst);
    if (!udp.ok) return udp.code === 'checksum' ? 'udp-checksum' : 'bad-udp';
    this.#udp++;
    const { srcPort, dstPort, payloadAt, payloadEnd } = udp.value;
    const payload = b.subarray(payloadAt, payloadEnd);
    out.push({ type: 'udp-received', from: { ip: ip.src, port: srcPort }, toPort: dstPort, payload });
    return null;
  }

  #takeIcmp(b: Uint8Array, ip: Ipv4Header, out: StationAction[]): StationDropReason | null {
    const icmp = decodeIcmp(b, ip.payloadAt, ip.payloadEnd);
    if (!icmp.ok) return icmp.code === 'checksum' ? 'icmp-checksum' : 'bad-icmp';
    if (ip.dst !== this.ip) return 'other-icmp'; // RFC 1122, 3.2.2.6: a broadcast echo may be ignored
    const m = icmp.value;
    switch (m.kind) {
      case 'echo-request':
        this.#echoRequests++;
        out.push({ type: 'send', bytes: this.#echoReply(b, ip, m) });
        return null;
      case 'echo-reply': {
        this.#echoReplies++;
        const payload = b.subarray(m.payloadAt, m.payloadEnd);
        out.push({ type: 'echo-reply-received', from: ip.src, id: m.id, seq: m.seq, payload });
        return null;
      }
      case 'unreachable': {
        const quoted = m.original;
        if (quoted === null || quoted.src !== this.ip || quoted.protocol !== PROTOCOL_UDP)
          return 'other-icmp';
        const { dst, dstPort, srcPort } = quoted;
        if (srcPort === null || dstPort === null) return 'other-icmp';
        this.#unreachable++;
        const to = { ip: dst, port: dstPort };
        out.push({ type: 'unreachable-received', from: ip.src, code: m.code, to, fromPort: srcPort });
        return null;
      }
      default:
        return 'other-icmp';
    }
  }

  /** Answers the MAC the request came from: there is no router here, and an answer must not wait for ARP. */
  #echoReply(b: Uint8Array, ip: Ipv4Header, request: EchoMessage): Uint8Array {
    const payload = b.subarray(request.payloadAt, request.payloadEnd);
    const reply = { kind: 'echo-reply', id: request.id, seq: request.seq, payload } as const;
    return echoCodec.encode(this.#towards(readU48(b, ETH_SRC), ip.src), reply);
  }

  /** Counts the request; true when it may go on. @param ipPayloadBytes transport header and payload */
  #admit(ip: number, ipPayloadBytes: number, portOrId: number, portOrSeq: number): boolean {
    this.#requested++;
    const refusal = this.#refusalOf(ip, ipPayloadBytes, portOrId, portOrSeq);
    if (refusal !== null) this.#refusals[refusal]++;
    return refusal === null;
  }

  #refusalOf(ip: number, ipPayloadBytes: number, portOrId: number, portOrSeq: number): StationRefusal | null {
    if (!isU16(portOrId) || !isU16(portOrSeq) || ip >>> 0 !== ip) return 'bad-number';
    if (IPV4_HEADER_BYTES + ipPayloadBytes > this.mtu) return 'too-big';
    return this.#isOnLink(ip) ? null : 'off-link';
  }

  /** Sends a frame whose destination MAC is known, else parks it, to get its MAC later, and asks. */
  #dispatch(nowNs: number, ip: number, mac: number, frame: Uint8Array, out: StationAction[]): void {
    if (mac !== UNKNOWN_MAC) {
      this.#send(frame, out);
      return;
    }
    const parked = this.#neighbours.park(nowNs, ip, frame);
    if (parked === 'full') this.#refusals['pending-full']++;
    if (parked === 'request') this.#ask(ip, out);
  }

  #send(bytes: Uint8Array, out: StationAction[]): void {
    this.#sent++;
    out.push({ type: 'send', bytes });
  }

  #ask(ip: number, out: StationAction[]): void {
    const request = {
      operation: ARP_REQUEST,
      senderMac: this.mac,
      senderIp: this.ip,
      targetMac: 0,
      targetIp: ip,
    };
    out.push({ type: 'send', bytes: arpFrame(BROADCAST_MAC, this.mac, request) });
  }

  #resolveAgain(nowNs: number, out: StationAction[]): void {
    this.#refusals.unresolved += this.#neighbours.expire(nowNs, this.#askAgain);
    for (const ip of this.#askAgain) this.#ask(ip, out);
    this.#askAgain.length = 0;
  }

  /** @param mac the peer's, or `UNKNOWN_MAC` in a frame that will be parked */
  #towards(mac: number, ip: number): Addresses {
    this.#ipId = (this.#ipId + 1) & 0xffff;
    return { srcMac: this.mac, dstMac: Math.max(0, mac), srcIp: this.ip, dstIp: ip, ipId: this.#ipId };
  }

  #macFor(nowNs: number, ip: number): number {
    return this.#isBroadcast(ip) ? BROADCAST_MAC : this.#neighbours.macOf(nowNs, ip);
  }

  #isBroadcast(ip: number): boolean {
    return ip === BROADCAST_IPV4 || ip === this.#subnetBroadcast;
  }

  #isOnLink(ip: number): boolean {
    return ip === BROADCAST_IPV4 || ((ip ^ this.ip) & this.#netmask) === 0;
  }
}

function isU16(n: number): boolean {
  return Number.isInteger(n) && n >= 0 && n <= 0xffff;
}
