/**
 * Which addresses of a capture live at which site, so that its conversations cross the fiber.
 *
 *   frames ─► conversations (pairs of addresses, by weight) ─► heaviest first, two-coloured ─► side of each address
 *
 * A conversation joins two addresses; the heaviest ones that make no circle are a forest, and a forest has two
 * colours: every conversation in it crosses. In each tree the address that spoke first to open a conversation (a TCP
 * SYN, else the first frame) is at site A. MAC addresses tell the sides where the frames have at least two that
 * converse; else, as in a capture of loopback or of bare IP, addresses do.
 *
 * Bounded: at most 65,536 addresses and 262,144 conversations are kept; what comes after is put opposite to its
 * peer. Left out: names of interfaces, since nobody but ourselves gives them sites.
 */
import { hasPrefix, type IpPrefix, parseIpPrefix } from '../capture/index.js';
import { ConfigError } from '../core/index.js';
import { BROADCAST_MAC, formatIpv4, formatMac, isGroupMac, parseMac } from '../l2/index.js';
import { Endpoints, ipKeyAt, isGroupIpAt } from './endpoints.js';
import type { ReplayErrorCode } from './errors.js';

export type Side = 'a' | 'b';

/** From which site a frame goes out, and whether its receiver is at the other one. */
export interface Placed {
  side: Side;
  crosses: boolean;
}

/** Says of each frame where it is sent. */
export interface SideMap {
  /** Fills `placed`. */
  place(frame: Uint8Array, placed: Placed): void;
  /** The addresses of each side, for people; at most `limit` each. */
  describe(limit: number): Readonly<Record<Side, readonly string[]>>;
}

const ADDRESSES_MAX = 65_536;
const CONVERSATIONS_MAX = 262_144;

interface Conversation {
  readonly from: string;
  readonly to: string;
  frames: number;
}

/** Conversations on one layer. */
class Layer {
  /** Address → order in which it first spoke. */
  readonly addresses = new Map<string, number>();
  readonly #conversations = new Map<string, Conversation>();
  readonly #openers = new Set<string>();

  heard(from: string | null, to: string | null, opens: boolean): void {
    if (from !== null) this.#know(from);
    if (from === null || to === null || from === to) return;
    this.#know(to);
    const key = from < to ? `${from} ${to}` : `${to} ${from}`;
    const known = this.#conversations.get(key);
    if (known !== undefined) known.frames++;
    else if (this.#conversations.size < CONVERSATIONS_MAX) {
      this.#conversations.set(key, { from, to, frames: 1 });
    }
    if (opens && this.#openers.size < ADDRESSES_MAX) this.#openers.add(from);
  }

  get converses(): boolean {
    return this.#conversations.size > 0;
  }

  /** The two-colouring of the heaviest forest. */
  split(): Map<string, Side> {
    const trees = new Trees();
    // A sort that is stable keeps the order of appearance among equals: the same capture, the same sides.
    const heaviest = [...this.#conversations.values()].sort((x, y) => y.frames - x.frames);
    for (const { from, to } of heaviest) trees.join(from, to);
    const flipped = new Map<string, boolean>();
    const decided = new Set<string>();
    const orient = (address: string): void => {
      const { root, odd } = trees.find(address);
      if (decided.has(root)) return;
      decided.add(root);
      flipped.set(root, odd);
    };
    for (const address of this.#openers) orient(address);
    for (const address of this.addresses.keys()) orient(address);
    const sides = new Map<string, Side>();
    for (const address of this.addresses.keys()) {
      const { root, odd } = trees.find(address);
      sides.set(address, odd === flipped.get(root) ? 'a' : 'b');
    }
    return sides;
  }

  #know(address: string): void {
    if (this.addresses.size < ADDRESSES_MAX && !this.addresses.has(address)) {
      this.addresses.set(address, this.addresses.size);
    }
  }
}

/** Union-find that remembers on which side of its root each address is. */
class Trees {
  readonly #up = new Map<string, { parent: string; odd: boolean }>();

  find(address: string): { root: string; odd: boolean } {
    let root = address;
    let odd = false;
    for (let up = this.#up.get(root); up !== undefined; up = this.#up.get(root)) {
      odd = odd !== up.odd;
      root = up.parent;
    }
    // Everything passed on the way hangs directly below the root from here on.
    let at = address;
    let left = odd;
    for (let up = this.#up.get(at); up !== undefined; up = this.#up.get(at)) {
      const next = up.parent;
      const rest = left !== up.odd;
      this.#up.set(at, { parent: root, odd: left });
      [at, left] = [next, rest];
      if (at === root) break;
    }
    return { root, odd };
  }

  /** Puts two addresses on opposite sides, unless a heavier conversation has placed both already. */
  join(x: string, y: string): void {
    const a = this.find(x);
    const b = this.find(y);
    if (a.root !== b.root) this.#up.set(a.root, { parent: b.root, odd: a.odd === b.odd });
  }
}

/** Learns the sides from every frame of the capture. */
export class SideFinder {
  readonly #ends = new Endpoints();
  readonly #macs = new Layer();
  readonly #ips = new Layer();

  heard(frame: Uint8Array): void {
    const ends = this.#ends.read(frame);
    if (ends.payloadAt < 0) return;
    const { family } = ends;
    this.#macs.heard(macKey(ends.srcMac), macKey(ends.dstMac), ends.opens);
    if (family !== 0) {
      const from = isGroupIpAt(frame, ends.srcIpAt, family) ? null : ipKeyAt(frame, ends.srcIpAt, family);
      const to = isGroupIpAt(frame, ends.dstIpAt, family) ? null : ipKeyAt(frame, ends.dstIpAt, family);
      this.#ips.heard(from, to, ends.opens);
    }
  }

  found(): SideMap {
    const byMac = this.#macs.converses || !this.#ips.converses;
    return byMac ? new FoundByMac(this.#macs.split()) : new FoundByIp(this.#ips.split());
  }
}

/** Null for a group's address and for all zeros, which loopback has: neither is anybody's. */
function macKey(mac: number): string | null {
  return mac === 0 || mac === BROADCAST_MAC || isGroupMac(mac) ? null : formatMac(mac);
}

class FoundByMac implements SideMap {
  readonly #sides: ReadonlyMap<string, Side>;
  readonly #ends = new Endpoints();

  constructor(sides: ReadonlyMap<string, Side>) {
    this.#sides = sides;
  }

  place(frame: Uint8Array, placed: Placed): void {
    const ends = this.#ends.read(frame);
    const src = macKey(ends.srcMac);
    const dst = macKey(ends.dstMac);
    settle(
      placed,
      src === null ? undefined : this.#sides.get(src),
      dst === null ? undefined : this.#sides.get(dst),
    );
  }

  describe(limit: number): Readonly<Record<Side, readonly string[]>> {
    return listed(this.#sides, limit, (key) => key);
  }
}

class FoundByIp implements SideMap {
  readonly #sides: ReadonlyMap<string, Side>;
  readonly #ends = new Endpoints();

  constructor(sides: ReadonlyMap<string, Side>) {
    this.#sides = sides;
  }

  place(frame: Uint8Array, placed: Placed): void {
    const { family, srcIpAt, dstIpAt } = this.#ends.read(frame);
    if (family === 0) return settle(placed, undefined, undefined);
    settle(
      placed,
      this.#sides.get(ipKeyAt(frame, srcIpAt, family)),
      this.#sides.get(ipKeyAt(frame, dstIpAt, family)),
    );
  }

  describe(limit: number): Readonly<Record<Side, readonly string[]>> {
    return listed(this.#sides, limit, ipKeyText);
  }
}

/** A group's frame goes across from where its sender is; whoever is not known is opposite to who is. */
function settle(placed: Placed, src: Side | undefined, dst: Side | undefined): void {
  placed.side = src ?? (dst === undefined ? 'a' : opposite(dst));
  placed.crosses = dst === undefined || dst !== placed.side;
}

function opposite(side: Side): Side {
  return side === 'a' ? 'b' : 'a';
}

function listed(
  sides: ReadonlyMap<string, Side>,
  limit: number,
  text: (key: string) => string,
): Readonly<Record<Side, readonly string[]>> {
  const of = (side: Side): string[] =>
    [...sides].flatMap(([key, at]) => (at === side ? [text(key)] : [])).slice(0, limit);
  return { a: of('a'), b: of('b') };
}

function ipKeyText(key: string): string {
  const hex = key.slice(2);
  if (key.startsWith('4:')) return formatIpv4(Number.parseInt(hex, 16));
  return (hex.match(/.{4}/g) ?? []).join(':');
}

/** Sides as the user gave them: what these name is at site A, all else at B. */
export class GivenSides implements SideMap {
  readonly #macs = new Set<number>();
  readonly #prefixes: IpPrefix[] = [];
  readonly #texts: readonly string[];
  readonly #ends = new Endpoints();

  /** @param siteA MAC addresses, IP addresses and prefixes @throws ConfigError REPLAY_SIDE */
  constructor(siteA: readonly string[]) {
    this.#texts = siteA;
    for (const text of siteA) {
      if (/^[0-9a-f]{2}([:-][0-9a-f]{2}){5}$/i.test(text)) this.#macs.add(parseMac(text, '--side-a'));
      else this.#prefixes.push(sidePrefix(text));
    }
  }

  place(frame: Uint8Array, placed: Placed): void {
    const ends = this.#ends.read(frame);
    const group = isGroupMac(ends.dstMac);
    const src = this.#isA(frame, ends, ends.srcMac, ends.srcIpAt);
    const dst = !group && this.#isA(frame, ends, ends.dstMac, ends.dstIpAt);
    placed.side = src ? 'a' : 'b';
    placed.crosses = group || src !== dst;
  }

  describe(): Readonly<Record<Side, readonly string[]>> {
    return { a: this.#texts, b: ['all else'] };
  }

  #isA(frame: Uint8Array, ends: Endpoints, mac: number, ipAt: number): boolean {
    if (this.#macs.has(mac)) return true;
    const { family } = ends;
    return family !== 0 && this.#prefixes.some((p) => hasPrefix(p, frame, ipAt, family === 4 ? 4 : 16));
  }
}

function sidePrefix(text: string): IpPrefix {
  const prefix = parseIpPrefix(text);
  if (prefix !== null) return prefix;
  throw new ConfigError<ReplayErrorCode>(
    'REPLAY_SIDE',
    `--side-a ${JSON.stringify(text)} is neither a MAC address nor an IP address or prefix`,
    { details: { text }, hint: 'write 02:4c:48:00:00:01, 10.0.0.1, 10.0.0.0/24 or 2001:db8::/32' },
  );
}
