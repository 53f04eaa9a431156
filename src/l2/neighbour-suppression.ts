/**
 * ARP and neighbour discovery kept off the stretch: a bridge that has heard where an address is answers for
 * it, so that the question does not cross and cost every host of the other site an interrupt.
 *
 *   heard                                                  entry of its address
 *   ARP request or reply, probe excepted ────────────────► its MAC
 *   advertisement with override and MAC ─────────────────► its MAC, router or not
 *   advertisement without override, other MAC ───────────► none: anycast, or a proxy
 *   solicitation with another MAC than known ────────────► none: moved, and what it says of itself is unheard
 *   sender in the packet is not that of the frame ───────► none: somebody speaks for another
 *
 * Answered is a request, not a gratuitous one, not a probe for a duplicate address, for an entry that is
 * fresh. That the request goes to a group, and that the entry's MAC is across the stretch from the asker, is
 * for the bridge to say, whose MAC table an announcement has brought up to date. Solicitations teach no new entry: they do not say whether
 * their sender is a router, and an answer that gets this wrong costs a host its gateway.
 * Source: RFC 9161, section 3 (what may be learned and answered, R and O flags); RFC 5227, 1.1 (probe);
 * RFC 4862, 5.4 (duplicate address detection). Left out: the table's own confirmation probes, static entries.
 */
import { CSUM_NEEDED, CSUM_VALID, type Frame } from '../core/index.js';
import { DEFAULT_SUPPRESSION, type SuppressionOptions } from './bridge-options.js';
import { ARP_REPLY, ARP_REQUEST, type ArpPacket, arpFrame, decodeArp } from './wire/arp.js';
import { readU16, readU48 } from './wire/bytes.js';
import {
  ETH_HEADER_BYTES,
  ETH_SRC,
  ETH_TYPE,
  ETHERTYPE_ARP,
  ETHERTYPE_IPV6,
  ETHERTYPE_VLAN,
  VLAN_TAG_BYTES,
} from './wire/ethernet.js';
import {
  decodeNeighbour,
  isNeighbourAt,
  type NeighbourAdvertisement,
  type NeighbourSolicitation,
  solicitedAdvertisement,
} from './wire/ndp.js';

const IPV6_BYTES = 16;

/** A request that the table could answer. */
export interface Answerable {
  /** Where the address asked for was heard. */
  readonly mac: number;
  /** Makes the answer, an untagged frame in bytes of its own. */
  reply(): Uint8Array;
}

/** At every instant `size = learned - aged - evicted - withdrawn`; entries that expired leave when they are next met. */
export interface SuppressionCounters {
  readonly size: number;
  readonly learned: number;
  /** Entries whose MAC changed. */
  readonly changed: number;
  readonly aged: number;
  /** Entries that made way for new ones. */
  readonly evicted: number;
  /** Entries removed because what was heard threw doubt on them. */
  readonly withdrawn: number;
}

interface Entry {
  mac: number;
  heardNs: number;
  isRouter: boolean;
}

/** IPv4: `vid · 2^32 + ip`, exact in a double. IPv6: text. */
type Key = number | string;

export class NeighbourSuppression {
  readonly #agingNs: number;
  readonly #capacity: number;
  /** The one heard longest ago comes first. */
  readonly #entries = new Map<Key, Entry>();
  #learned = 0;
  #changed = 0;
  #aged = 0;
  #evicted = 0;
  #withdrawn = 0;

  /** @param options checked by `checkBridgeOptions` */
  constructor(options: SuppressionOptions = {}) {
    this.#agingNs = options.agingNs ?? DEFAULT_SUPPRESSION.agingNs;
    this.#capacity = options.capacity ?? DEFAULT_SUPPRESSION.capacity;
  }

  /**
   * Learns from a frame in VLAN `vid` (0 on a bridge without VLANs). Allocates nothing unless it is ARP or ND.
   * @param isTagged whether its first tag is the bridge's business; a tag that is payload hides what is behind it
   * @returns the request it carries, if the table could answer it
   */
  hear(nowNs: number, vid: number, frame: Frame, isTagged: boolean): Answerable | null {
    const { data, start, length } = frame;
    const end = start + length;
    const tagBytes = isTagged && readU16(data, start + ETH_TYPE) === ETHERTYPE_VLAN ? VLAN_TAG_BYTES : 0;
    const at = start + ETH_HEADER_BYTES + tagBytes;
    if (at > end) return null;
    const etherType = readU16(data, at - 2);
    if (etherType === ETHERTYPE_ARP) {
      const arp = decodeArp(data, at, end);
      return arp.ok ? this.#hearArp(nowNs, vid, frame, arp.value) : null;
    }
    if (etherType !== ETHERTYPE_IPV6 || !isNeighbourAt(data, at, end)) return null;
    const verified = (frame.offload.flags & (CSUM_NEEDED | CSUM_VALID)) !== 0;
    const nd = decodeNeighbour(data, at, end, verified);
    if (!nd.ok) return null;
    if (nd.value.kind === 'solicitation') return this.#hearSolicitation(nowNs, vid, frame, nd.value);
    this.#hearAdvertisement(nowNs, vid, frame, nd.value);
    return null;
  }

  counters(): SuppressionCounters {
    return {
      size: this.#entries.size,
      learned: this.#learned,
      changed: this.#changed,
      aged: this.#aged,
      evicted: this.#evicted,
      withdrawn: this.#withdrawn,
    };
  }

  #hearArp(nowNs: number, vid: number, { data, start }: Frame, p: ArpPacket): Answerable | null {
    if ((p.operation !== ARP_REQUEST && p.operation !== ARP_REPLY) || p.senderIp === 0) return null;
    const key = vid * 0x1_0000_0000 + p.senderIp;
    if (p.senderMac !== readU48(data, start + ETH_SRC)) {
      this.#withdraw(key);
      return null;
    }
    this.#learn(nowNs, key, p.senderMac, false);
    if (p.operation !== ARP_REQUEST || p.senderIp === p.targetIp) return null;
    const entry = this.#fresh(nowNs, vid * 0x1_0000_0000 + p.targetIp);
    if (entry === null) return null;
    const { mac } = entry;
    const answer: ArpPacket = {
      operation: ARP_REPLY,
      senderMac: mac,
      senderIp: p.targetIp,
      targetMac: p.senderMac,
      targetIp: p.senderIp,
    };
    return { mac, reply: () => arpFrame(p.senderMac, mac, answer) };
  }

  #hearSolicitation(
    nowNs: number,
    vid: number,
    { data, start }: Frame,
    ns: NeighbourSolicitation,
  ): Answerable | null {
    if (ns.isProbe) return null;
    const askerMac = readU48(data, start + ETH_SRC);
    const askerKey = keyOf(vid, data, ns.srcAt);
    const known = this.#entries.get(askerKey);
    const saysOtherwise = known !== undefined && (ns.mac ?? askerMac) !== known.mac;
    if (saysOtherwise || (ns.mac !== null && ns.mac !== askerMac)) this.#withdraw(askerKey);
    if (ns.mac !== null && ns.mac !== askerMac) return null;
    const entry = this.#fresh(nowNs, keyOf(vid, data, ns.targetAt));
    if (entry === null) return null;
    const { mac, isRouter } = entry;
    const target = data.slice(ns.targetAt, ns.targetAt + IPV6_BYTES);
    const asker = data.slice(ns.srcAt, ns.srcAt + IPV6_BYTES);
    return { mac, reply: () => solicitedAdvertisement(mac, target, isRouter, askerMac, asker) };
  }

  #hearAdvertisement(nowNs: number, vid: number, { data, start }: Frame, na: NeighbourAdvertisement): void {
    const key = keyOf(vid, data, na.targetAt);
    const mac = readU48(data, start + ETH_SRC);
    const known = this.#entries.get(key);
    if (na.mac !== null && na.mac !== mac) this.#withdraw(key);
    else if (na.overrides && na.mac !== null) this.#learn(nowNs, key, mac, na.isRouter);
    else if (known !== undefined && known.mac !== mac) this.#withdraw(key);
    else if (known !== undefined) known.isRouter = na.isRouter;
  }

  #learn(nowNs: number, key: Key, mac: number, isRouter: boolean): void {
    if (mac === 0) return; // some stacks ask with it before they know their own
    const known = this.#entries.get(key);
    if (known !== undefined) {
      if (known.mac !== mac) this.#changed++;
      known.mac = mac;
      known.heardNs = nowNs;
      known.isRouter = isRouter;
      // To the end of the order of insertion, which is the order of age.
      this.#entries.delete(key);
      this.#entries.set(key, known);
      return;
    }
    if (this.#entries.size >= this.#capacity) {
      const oldest = this.#entries.entries().next().value!;
      this.#entries.delete(oldest[0]);
      if (nowNs - oldest[1].heardNs > this.#agingNs) this.#aged++;
      else this.#evicted++;
    }
    this.#entries.set(key, { mac, heardNs: nowNs, isRouter });
    this.#learned++;
  }

  #fresh(nowNs: number, key: Key): Entry | null {
    const entry = this.#entries.get(key);
    if (entry === undefined) return null;
    if (nowNs - entry.heardNs <= this.#agingNs) return entry;
    this.#entries.delete(key);
    this.#aged++;
    return null;
  }

  #withdraw(key: Key): void {
    if (this.#entries.delete(key)) this.#withdrawn++;
  }
}

function keyOf(vid: number, b: Uint8Array, at: number): string {
  let text = `${vid}`;
  for (let i = at; i < at + IPV6_BYTES; i += 2) text += `:${readU16(b, i)}`;
  return text;
}
