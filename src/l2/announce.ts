/**
 * What a destination host sends on behalf of a guest that has just moved, so that bridges learn its new
 * place and hosts renew their ARP entries. Several rounds, since a frame may be lost:
 *
 *   0 ──50 ms── 50 ──150 ms── 200 ──250 ms── 450 ──350 ms── 800 ms        the gaps QEMU uses by default
 *
 * Each round is the RARP that needs no IP (ESX and QEMU send it), and where the guest's IPv4 address is
 * known a gratuitous ARP as request and as reply, since hosts differ in which of the two they heed; where
 * IPv6 addresses are known, an unsolicited neighbour advertisement of each.
 * Source: RFC 903; RFC 5227, section 3 (announcement); RFC 826; RFC 4861, section 7.2.6; QEMU's
 * announce parameters (initial, max, rounds, step).
 */
import { ConfigError, type Machine, NS_PER_MS, type Woke } from '../core/index.js';
import type { L2ErrorCode } from './errors.js';
import { ARP_REPLY, ARP_REQUEST, arpFrame } from './wire/arp.js';
import { BROADCAST_MAC } from './wire/ethernet.js';
import { unsolicitedAdvertisement } from './wire/ndp.js';
import { rarpAnnouncement } from './wire/rarp.js';

/** Who is announced. */
export interface Announced {
  readonly mac: number;
  /** `null` where the host does not know it: RARP alone. */
  readonly ip: number | null;
  /** 16 bytes, or several such: a guest has a link-local address (`linkLocalFromMac`) and often more. */
  readonly ipv6?: Uint8Array | readonly Uint8Array[];
}

/** The gap after round n (from 0) is `min(initialNs + n · stepNs, maxNs)`. */
export interface AnnounceSchedule {
  /** Rounds in all, the immediate one included; 1..100. */
  readonly rounds: number;
  readonly initialNs: number;
  readonly stepNs: number;
  readonly maxNs: number;
}

export const DEFAULT_ANNOUNCE_SCHEDULE: AnnounceSchedule = {
  rounds: 5,
  initialNs: 50 * NS_PER_MS,
  stepNs: 100 * NS_PER_MS,
  maxNs: 550 * NS_PER_MS,
};

export interface AnnounceRound {
  /** Since the first round. */
  readonly afterNs: number;
  /** The same frames each round: a receiver that keeps them must not write to them. */
  readonly frames: readonly Uint8Array[];
}

/** A gratuitous ARP request: sender and target IP are the announced one, target MAC is not known. */
export function gratuitousArpRequest(mac: number, ip: number): Uint8Array {
  const packet = { operation: ARP_REQUEST, senderMac: mac, senderIp: ip, targetMac: 0, targetIp: ip };
  return arpFrame(BROADCAST_MAC, mac, packet);
}

/** A gratuitous ARP reply: one that nobody asked for, to everybody. */
export function gratuitousArpReply(mac: number, ip: number): Uint8Array {
  const packet = { operation: ARP_REPLY, senderMac: mac, senderIp: ip, targetMac: mac, targetIp: ip };
  return arpFrame(BROADCAST_MAC, mac, packet);
}

/** The frames of one round. */
export function announcementFrames(who: Announced): Uint8Array[] {
  const frames = [rarpAnnouncement(who.mac)];
  if (who.ip !== null) {
    frames.push(gratuitousArpRequest(who.mac, who.ip), gratuitousArpReply(who.mac, who.ip));
  }
  const addresses = who.ipv6 instanceof Uint8Array ? [who.ipv6] : (who.ipv6 ?? []);
  for (const ip of addresses) frames.push(unsolicitedAdvertisement(who.mac, ip));
  return frames;
}

/**
 * The rounds with their instants.
 * @throws ConfigError `L2_ANNOUNCE_RANGE`
 */
export function announcementRounds(
  who: Announced,
  schedule: AnnounceSchedule = DEFAULT_ANNOUNCE_SCHEDULE,
): AnnounceRound[] {
  check(schedule);
  const frames = announcementFrames(who);
  const rounds: AnnounceRound[] = [];
  let afterNs = 0;
  for (let n = 0; n < schedule.rounds; n++) {
    rounds.push({ afterNs, frames });
    afterNs += Math.min(schedule.initialNs + n * schedule.stepNs, schedule.maxNs);
  }
  return rounds;
}

/** `announce-cancelled` ends the rounds, as when the guest is gone again. */
export type AnnounceEvent =
  | { readonly type: 'guest-started' }
  | { readonly type: 'announce-cancelled' }
  | Woke;

export interface AnnounceAction {
  readonly type: 'send';
  readonly bytes: Uint8Array;
}

/** Sends the first round at `guest-started` and the others on their instants; silent before and after. */
export class Announcer implements Machine<AnnounceEvent, AnnounceAction> {
  readonly #rounds: readonly AnnounceRound[];
  #startedNs = Number.POSITIVE_INFINITY;
  #next = 0;

  /** @throws ConfigError `L2_ANNOUNCE_RANGE` */
  constructor(who: Announced, schedule: AnnounceSchedule = DEFAULT_ANNOUNCE_SCHEDULE) {
    this.#rounds = announcementRounds(who, schedule);
  }

  /** A second `guest-started` begins the rounds anew. A late wake-up sends one round, not all it missed. */
  step(nowNs: number, event: AnnounceEvent, out: AnnounceAction[]): void {
    if (event.type === 'announce-cancelled') this.#next = this.#rounds.length;
    if (event.type === 'guest-started') {
      this.#startedNs = nowNs;
      this.#next = 0;
    }
    if (nowNs < this.nextWakeNs()) return;
    for (const bytes of this.#rounds[this.#next]!.frames) out.push({ type: 'send', bytes });
    while (nowNs >= this.nextWakeNs()) this.#next++;
  }

  nextWakeNs(): number {
    const round = this.#rounds[this.#next];
    return round === undefined ? Number.POSITIVE_INFINITY : this.#startedNs + round.afterNs;
  }
}

function check(s: AnnounceSchedule): void {
  const gaps = [s.initialNs, s.stepNs, s.maxNs];
  if (
    Number.isInteger(s.rounds) &&
    s.rounds >= 1 &&
    s.rounds <= 100 &&
    gaps.every((ns) => Number.isSafeInteger(ns) && ns >= 0)
  ) {
    return;
  }
  throw new ConfigError<L2ErrorCode>(
    'L2_ANNOUNCE_RANGE',
    `announcement of ${s.rounds} rounds with gaps ${gaps.join(', ')} ns is outside 1..100 rounds, gaps ≥ 0 in whole ns`,
    { details: { ...s }, hint: 'the default is 5 rounds with gaps of 50, 150, 250 and 350 ms' },
  );
}
