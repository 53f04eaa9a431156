/**
 * Which frames a scripted drop means: plain comparisons over the bytes of a frame, compiled once.
 *
 *   Ethernet ─ [802.1Q / 802.1ad tags] ─ IPv4 or IPv6 [extension headers] ─ TCP or UDP ports
 *
 * A field that the frame does not have (the port of an ARP, of a fragment that is not the first, of a
 * truncated frame) matches nothing. Offsets: IEEE 802.3-2018, 3.2; 802.1Q-2018, 9.4; RFC 791, 3.1;
 * RFC 8200, 3 and 4; ports are the first four bytes of TCP (RFC 9293) and UDP (RFC 768).
 *
 * The fiber knows no headers elsewhere. This reader is its own because `fiber` and `l2` are siblings;
 * left out on purpose: anything inside a tunnel, and any field that is not listed here.
 */
import type { Frame } from '../core/index.js';
import { refuse, within } from './refuse.js';
import type { TrafficClass } from './traffic-class.js';

/** All that is given must match; nothing given matches every packet. Plain JSON. */
export interface FrameFilter {
  /** The class it stands in at the fiber's entry: `guest` is 0, `vmotion` 1. */
  readonly trafficClass?: 'guest' | 'vmotion' | undefined;
  /** Bytes of the wire packet from destination MAC to the end of the padding, without FCS: 60 at least. */
  readonly minLength?: number | undefined;
  readonly maxLength?: number | undefined;
  /** EtherType behind any VLAN tags, 0x0600..0xffff. */
  readonly etherType?: number | undefined;
  /** IPv4 protocol or last IPv6 next header, 0..255. */
  readonly ipProtocol?: number | undefined;
  /** Lower-case hex with colons. */
  readonly sourceMac?: string | undefined;
  readonly destinationMac?: string | undefined;
  /** TCP or UDP port at either end. */
  readonly port?: number | undefined;
  readonly sourcePort?: number | undefined;
  readonly destinationPort?: number | undefined;
}

const DESTINATION = 0;
const SOURCE = 6;
const TYPE = 12;
const TAG_BYTES = 4;
const TPID_8021Q = 0x8100;
const TPID_8021AD = 0x88a8;
const TYPE_IPV4 = 0x0800;
const TYPE_IPV6 = 0x86dd;

const IPV4_FRAGMENT = 6;
const IPV4_PROTOCOL = 9;
const IPV4_MIN_BYTES = 20;
const IPV6_NEXT_HEADER = 6;
const IPV6_BYTES = 40;
const PROTOCOL_TCP = 6;
const PROTOCOL_UDP = 17;
/** Extension headers that lead to a next one: hop-by-hop, routing, destination options; and the fragment header. */
const IPV6_HOP_BY_HOP = 0;
const IPV6_ROUTING = 43;
const IPV6_FRAGMENT = 44;
const IPV6_OPTIONS = 60;
/** A chain of extension headers longer than this is no honest one. */
const MAX_EXTENSIONS = 8;

const MAC = /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/;

/** @throws ConfigError `FIBER_FILTER` */
export function checkFilter(filter: FrameFilter, where: string): FrameFilter {
  const wrong = (what: string, allowed: string): never =>
    refuse('FIBER_FILTER', `${where}: ${what} is outside ${allowed}`, filter, {
      hint: `choose one in ${allowed}`,
    });
  const ranges = [
    ['minLength', 60, 65_549],
    ['maxLength', 60, 65_549],
    ['etherType', 0x0600, 0xffff],
    ['ipProtocol', 0, 255],
    ['port', 0, 65_535],
    ['sourcePort', 0, 65_535],
    ['destinationPort', 0, 65_535],
  ] as const;
  for (const [name, min, max] of ranges) {
    const value = filter[name];
    if (value === undefined || (within(value, min, max) && Number.isInteger(value))) continue;
    wrong(`${name} ${value}`, `${min}..${max}`);
  }
  for (const name of ['sourceMac', 'destinationMac'] as const) {
    const value = filter[name];
    if (value !== undefined && !MAC.test(value))
      wrong(`${name} ${value}`, '00:00:00:00:00:00..ff:ff:ff:ff:ff:ff');
  }
  const { minLength = 0, maxLength = Number.POSITIVE_INFINITY } = filter;
  if (minLength > maxLength) wrong(`length ${minLength}..${maxLength}`, 'an ascending range');
  return filter;
}

/** The filter in a form that reads a frame's bytes without allocating. */
export class FrameMatcher {
  readonly #filter: FrameFilter;
  readonly #trafficClass: TrafficClass | null;
  readonly #sourceMac: Uint8Array | null;
  readonly #destinationMac: Uint8Array | null;
  readonly #readsNetwork: boolean;
  readonly #readsPorts: boolean;

  constructor(filter: FrameFilter) {
    this.#filter = filter;
    this.#trafficClass = filter.trafficClass === undefined ? null : filter.trafficClass === 'guest' ? 0 : 1;
    this.#sourceMac = macBytes(filter.sourceMac);
    this.#destinationMac = macBytes(filter.destinationMac);
    const { port, sourcePort, destinationPort } = filter;
    this.#readsPorts = port !== undefined || sourcePort !== undefined || destinationPort !== undefined;
    this.#readsNetwork = this.#readsPorts || filter.ipProtocol !== undefined;
  }

  /** Whether a wire packet of this size may match, whatever its headers say. @param length bytes without FCS */
  hasLength(length: number): boolean {
    const { minLength, maxLength } = this.#filter;
    return (
      (minLength === undefined || length >= minLength) && (maxLength === undefined || length <= maxLength)
    );
  }

  /** Whether the frame's class and headers match; all packets of a super-frame have the same. */
  hasHeaders(frame: Frame, trafficClass: TrafficClass): boolean {
    const filter = this.#filter;
    if (this.#trafficClass !== null && this.#trafficClass !== trafficClass) return false;
    const { data, start } = frame;
    const end = start + frame.length;
    if (this.#destinationMac && !same(data, start + DESTINATION, end, this.#destinationMac)) return false;
    if (this.#sourceMac && !same(data, start + SOURCE, end, this.#sourceMac)) return false;
    if (filter.etherType === undefined && !this.#readsNetwork) return true;
    let at = start + TYPE;
    let etherType = u16(data, at, end);
    while (etherType === TPID_8021Q || etherType === TPID_8021AD) {
      at += TAG_BYTES;
      etherType = u16(data, at, end);
    }
    if (filter.etherType !== undefined && filter.etherType !== etherType) return false;
    if (!this.#readsNetwork) return true;
    if (etherType === TYPE_IPV4) return this.#hasIpv4(data, at + 2, end);
    return etherType === TYPE_IPV6 && this.#hasIpv6(data, at + 2, end);
  }

  #hasIpv4(data: Uint8Array, at: number, end: number): boolean {
    if (at + IPV4_MIN_BYTES > end) return false;
    const isFirst = (u16(data, at + IPV4_FRAGMENT, end) & 0x1fff) === 0;
    const headerBytes = (data[at]! & 0x0f) * 4;
    return this.#hasTransport(data, at + headerBytes, end, data[at + IPV4_PROTOCOL]!, isFirst);
  }

  #hasIpv6(data: Uint8Array, at: number, end: number): boolean {
    if (at + IPV6_BYTES > end) return false;
    let protocol = data[at + IPV6_NEXT_HEADER]!;
    let isFirst = true;
    let next = at + IPV6_BYTES;
    for (let n = 0; n < MAX_EXTENSIONS && next + 8 <= end; n++) {
      if (protocol === IPV6_FRAGMENT) {
        isFirst = isFirst && (u16(data, next + 2, end) & 0xfff8) === 0;
        protocol = data[next]!;
        next += 8;
      } else if (protocol === IPV6_HOP_BY_HOP || protocol === IPV6_ROUTING || protocol === IPV6_OPTIONS) {
        protocol = data[next]!;
        next += (data[next + 1]! + 1) * 8;
      } else break;
    }
    return this.#hasTransport(data, next, end, protocol, isFirst);
  }

  #hasTransport(data: Uint8Array, at: number, end: number, protocol: number, isFirst: boolean): boolean {
    const { ipProtocol, port, sourcePort, destinationPort } = this.#filter;
    if (ipProtocol !== undefined && ipProtocol !== protocol) return false;
    if (!this.#readsPorts) return true;
    if (!isFirst || (protocol !== PROTOCOL_TCP && protocol !== PROTOCOL_UDP)) return false;
    const source = u16(data, at, end);
    const destination = u16(data, at + 2, end);
    if (port !== undefined && port !== source && port !== destination) return false;
    if (sourcePort !== undefined && sourcePort !== source) return false;
    return destinationPort === undefined || destinationPort === destination;
  }
}

/** Big-endian; -1 past the end, which no field equals. */
function u16(data: Uint8Array, at: number, end: number): number {
  return at + 2 <= end ? (data[at]! << 8) | data[at + 1]! : -1;
}

function same(data: Uint8Array, at: number, end: number, wanted: Uint8Array): boolean {
  if (at + wanted.length > end) return false;
  for (let i = 0; i < wanted.length; i++) if (data[at + i] !== wanted[i]) return false;
  return true;
}

function macBytes(text: string | undefined): Uint8Array | null {
  return text === undefined ? null : Uint8Array.from(text.split(':'), (octet) => Number.parseInt(octet, 16));
}
