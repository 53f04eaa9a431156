/**
 * Gives frames other addresses, with the checksums mended and not made anew: one that was wrong stays wrong by as much.
 *
 *   MAC   destination, source; in ARP and RARP sender and target too
 *   VLAN  the outermost 802.1Q tag: another number, none, or one where there was none
 *   IP    source and destination of IPv4 and IPv6, sender and target of ARP; a prefix is replaced, the rest stays
 *
 * Every changed 16-bit word goes into the IPv4 header's checksum and the transport's by RFC 1624, equation 3. UDP's 0
 * (no checksum) stays 0, and a sum that becomes 0 is written as ffff (RFC 768); a later fragment has no transport
 * header. Left out: addresses inside payloads, ICMP errors and neighbour discovery.
 */
import { hasPrefix, type IpPrefix, maskOf, parseIpPrefix } from '../capture/index.js';
import { ConfigError } from '../core/index.js';
import {
  ETHERTYPE_ARP,
  ETHERTYPE_IPV4,
  ETHERTYPE_RARP,
  ETHERTYPE_SERVICE_VLAN,
  ETHERTYPE_VLAN,
  IPV4_CHECKSUM,
  IPV4_FRAGMENT,
  IPV4_PROTOCOL,
  ipv4HeaderBytes,
  ipv6TransportAt,
  isGroupMac,
  MAX_VID,
  PROTOCOL_ICMPV6,
  PROTOCOL_TCP,
  PROTOCOL_UDP,
  parseMac,
  TCP_CHECKSUM,
  tciAt,
  UDP_CHECKSUM,
  updateChecksum,
  VID_MASK,
  VLAN_TAG_BYTES,
} from '../l2/index.js';
import { ARP_SENDER_MAC, ARP_TARGET_MAC, Endpoints, isGroupIpAt } from './endpoints.js';
import type { ReplayErrorCode } from './errors.js';

/** Replaces what lies in `from` by the same place in `to`. */
export interface IpRule {
  readonly from: IpPrefix;
  readonly to: IpPrefix;
}

/** `null` stands for no tag. */
export interface VlanRule {
  readonly from: number | null;
  readonly to: number | null;
}

export interface RewriteRules {
  readonly macs: ReadonlyMap<number, number>;
  readonly ips: readonly IpRule[];
  readonly vlans: readonly VlanRule[];
  /** Each loop has addresses of its own: what a loop adds to every one of them. */
  readonly perLoop: boolean;
}

export const NO_REWRITE: RewriteRules = { macs: new Map(), ips: [], vlans: [], perLoop: false };

/** The offset of ICMPv6's checksum in its header. RFC 4443, 2.1 */
const ICMPV6_CHECKSUM = 2;
/** Offsets within an IPv4 fragment field. */
const FRAGMENT_OFFSET_MASK = 0x1fff;
const IP_RULE_HINT = 'write OLD=NEW of one family and length: 10.0.0.0/24=192.168.7.0/24';

/** Reads `OLD=NEW` of two MAC addresses. @throws ConfigError */
export function parseMacRule(text: string): readonly [number, number] {
  const [from, to] = halves(text, '--rewrite-mac', 'write OLD=NEW: 02:00:00:00:00:01=02:4c:48:00:00:01');
  return [parseMac(from, '--rewrite-mac'), parseMac(to, '--rewrite-mac')];
}

/** Reads `OLD=NEW` of two addresses or prefixes of one length. @throws ConfigError REPLAY_REWRITE */
export function parseIpRule(text: string): IpRule {
  const [left, right] = halves(text, '--rewrite-ip', IP_RULE_HINT);
  const from = parseIpPrefix(left);
  const to = parseIpPrefix(right);
  if (from === null || to === null || from.bytes.length !== to.bytes.length || from.bits !== to.bits) {
    throw refuse(
      `--rewrite-ip ${JSON.stringify(text)} does not name two prefixes of one length`,
      IP_RULE_HINT,
    );
  }
  return { from, to };
}

/** Reads `OLD=NEW` of two VLAN numbers, `none` for no tag. @throws ConfigError REPLAY_REWRITE */
export function parseVlanRule(text: string): VlanRule {
  const hint = `write OLD=NEW, each 0..${MAX_VID} or none: 10=20, none=100, 10=none`;
  const vid = (word: string): number | null => {
    if (word === 'none') return null;
    if (/^\d{1,4}$/.test(word) && Number(word) <= MAX_VID) return Number(word);
    throw refuse(`--rewrite-vlan ${JSON.stringify(text)}: ${JSON.stringify(word)} is no VLAN`, hint);
  };
  const [from, to] = halves(text, '--rewrite-vlan', hint);
  return { from: vid(from), to: vid(to) };
}

function halves(text: string, option: string, hint: string): readonly [string, string] {
  const parts = text.split('=');
  if (parts.length === 2 && parts[0] !== '' && parts[1] !== '') return [parts[0]!.trim(), parts[1]!.trim()];
  throw refuse(`${option} ${JSON.stringify(text)} is no rule`, hint);
}

function refuse(text: string, hint: string): ConfigError<ReplayErrorCode> {
  return new ConfigError('REPLAY_REWRITE', text, { hint });
}

export class Rewriter {
  readonly #rules: RewriteRules;
  readonly #ends = new Endpoints();
  /** Of the frame in hand: where the checksums stand that its addresses are part of; -1 for none. */
  #headerCheckAt = -1;
  #transportCheckAt = -1;
  #transportIsUdp = false;

  constructor(rules: RewriteRules) {
    this.#rules = rules;
  }

  /** Whether any frame can be changed in this loop. */
  changes(loop: number): boolean {
    const { macs, ips, vlans, perLoop } = this.#rules;
    return macs.size + ips.length + vlans.length > 0 || (perLoop && loop > 0);
  }

  /**
   * Rewrites a frame. @param frame its bytes, which are changed in place @param loop from 0
   * @returns the same bytes, or others when a tag came or went
   */
  apply(frame: Uint8Array, loop: number): Uint8Array {
    const ends = this.#ends.read(frame);
    if (ends.payloadAt < 0) return frame;
    const added = this.#rules.perLoop ? loop : 0;
    this.#mac(frame, 0, added);
    this.#mac(frame, 6, added);
    const at = ends.payloadAt;
    if (ends.family !== 0 && (ends.etherType === ETHERTYPE_ARP || ends.etherType === ETHERTYPE_RARP)) {
      this.#mac(frame, at + ARP_SENDER_MAC, added);
      this.#mac(frame, at + ARP_TARGET_MAC, added);
    }
    this.#findChecks(frame, ends);
    if (ends.family !== 0) {
      this.#ip(frame, ends.srcIpAt, ends.family, added);
      this.#ip(frame, ends.dstIpAt, ends.family, added);
    }
    return this.#vlan(frame);
  }

  #mac(b: Uint8Array, at: number, added: number): void {
    const view = new DataView(b.buffer, b.byteOffset + at, 6);
    const before = view.getUint16(0) * 0x1_0000_0000 + view.getUint32(2);
    if (isGroupMac(before) || before === 0) return;
    let after = this.#rules.macs.get(before) ?? before;
    // The loop goes into the lower half, the vendor's part stays: a frame still says what made it.
    if (added > 0)
      after = Math.floor(after / 0x100_0000) * 0x100_0000 + ((after + (added << 8)) % 0x100_0000);
    if (after === before) return;
    view.setUint16(0, Math.floor(after / 0x1_0000_0000));
    view.setUint32(2, after % 0x1_0000_0000);
  }

  #findChecks(b: Uint8Array, ends: Endpoints): void {
    this.#headerCheckAt = -1;
    this.#transportCheckAt = -1;
    this.#transportIsUdp = false;
    const at = ends.payloadAt;
    if (ends.family === 6) {
      this.#transport(b, PROTOCOL_TCP, ipv6TransportAt(b, at, b.length, PROTOCOL_TCP));
      this.#transport(b, PROTOCOL_UDP, ipv6TransportAt(b, at, b.length, PROTOCOL_UDP));
      this.#transport(b, PROTOCOL_ICMPV6, ipv6TransportAt(b, at, b.length, PROTOCOL_ICMPV6));
    } else if (ends.etherType === ETHERTYPE_IPV4 && ends.family === 4) {
      this.#headerCheckAt = at + IPV4_CHECKSUM;
      const fragment = ((b[at + IPV4_FRAGMENT]! << 8) | b[at + IPV4_FRAGMENT + 1]!) & FRAGMENT_OFFSET_MASK;
      const protocol = b[at + IPV4_PROTOCOL]!;
      if (fragment === 0 && protocol !== PROTOCOL_ICMPV6) {
        this.#transport(b, protocol, at + ipv4HeaderBytes(b, at, b.length));
      }
    }
  }

  #transport(b: Uint8Array, protocol: number, at: number): void {
    if (at < 0) return;
    let field = -1;
    if (protocol === PROTOCOL_TCP) field = at + TCP_CHECKSUM;
    else if (protocol === PROTOCOL_UDP) field = at + UDP_CHECKSUM;
    else if (protocol === PROTOCOL_ICMPV6) field = at + ICMPV6_CHECKSUM;
    if (field < 0 || field + 2 > b.length) return;
    this.#transportIsUdp = protocol === PROTOCOL_UDP;
    if (this.#transportIsUdp && b[field] === 0 && b[field + 1] === 0) return;
    this.#transportCheckAt = field;
  }

  #ip(b: Uint8Array, at: number, family: 4 | 6, added: number): void {
    if (isGroupIpAt(b, at, family)) return;
    const length = family === 4 ? 4 : 16;
    const after = b.slice(at, at + length);
    const rule = this.#rules.ips.find(({ from }) => hasPrefix(from, b, at, length));
    if (rule !== undefined) {
      for (let i = 0; i < length; i++) {
        const mask = maskOf(i, rule.to.bits);
        after[i] = (after[i]! & ~mask) | (rule.to.bytes[i]! & mask);
      }
    }
    // Above the last byte, so that neighbours of one loop never become those of another.
    for (let i = length - 2, carry = added; carry > 0 && i > length - 4; i--) {
      carry += after[i]!;
      after[i] = carry & 0xff;
      carry >>>= 8;
    }
    for (let i = 0; i < length; i += 2) this.#word(b, at + i, (after[i]! << 8) | after[i + 1]!);
  }

  /** Replaces one word of an address, and its share of both checksums. */
  #word(b: Uint8Array, at: number, after: number): void {
    const before = (b[at]! << 8) | b[at + 1]!;
    if (before === after) return;
    b[at] = after >>> 8;
    b[at + 1] = after & 0xff;
    mend(b, this.#headerCheckAt, before, after, false);
    mend(b, this.#transportCheckAt, before, after, this.#transportIsUdp);
  }

  #vlan(b: Uint8Array): Uint8Array {
    const { vlans } = this.#rules;
    if (vlans.length === 0) return b;
    const tci = tciAt(b, 0, b.length);
    const from = tci < 0 ? null : tci & VID_MASK;
    const rule = vlans.find((v) => v.from === from);
    if (rule === undefined || rule.to === from) return b;
    if (rule.to === null) return without(b);
    if (from === null) return withTag(b, rule.to);
    b[14] = (b[14]! & 0xf0) | (rule.to >>> 8);
    b[15] = rule.to & 0xff;
    return b;
  }
}

function mend(b: Uint8Array, at: number, before: number, after: number, udp: boolean): void {
  if (at < 0) return;
  const check = updateChecksum((b[at]! << 8) | b[at + 1]!, before, after);
  const written = udp && check === 0 ? 0xffff : check;
  b[at] = written >>> 8;
  b[at + 1] = written & 0xff;
}

const ADDRESSES_BYTES = 12;

function without(b: Uint8Array): Uint8Array {
  const out = new Uint8Array(b.length - VLAN_TAG_BYTES);
  out.set(b.subarray(0, ADDRESSES_BYTES));
  out.set(b.subarray(ADDRESSES_BYTES + VLAN_TAG_BYTES), ADDRESSES_BYTES);
  return out;
}

function withTag(b: Uint8Array, vid: number): Uint8Array {
  const out = new Uint8Array(b.length + VLAN_TAG_BYTES);
  out.set(b.subarray(0, ADDRESSES_BYTES));
  const tpid = (b[12]! << 8) | b[13]!;
  // What is tagged already by a customer gets a service tag around it (802.1Q-2022, 9.5).
  const outer = tpid === ETHERTYPE_VLAN ? ETHERTYPE_SERVICE_VLAN : ETHERTYPE_VLAN;
  out[12] = outer >>> 8;
  out[13] = outer & 0xff;
  out[14] = vid >>> 8;
  out[15] = vid & 0xff;
  out.set(b.subarray(ADDRESSES_BYTES), ADDRESSES_BYTES + VLAN_TAG_BYTES);
  return out;
}
