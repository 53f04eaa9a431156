/**
 * Loss by script: packets that are dropped because a rule names them, beside what the loss model
 * drops by chance. A rule counts the packets that match it and whose last bit leaves at `fromNs` or
 * later and before `untilNs`:
 *
 *   matching packet   1   2   3   4   5   6 …        nth = 3, count = 2
 *                             ▲───▲ dropped
 *
 * Packets of a super-frame are counted one by one, so offload changes nothing. Every rule counts every
 * packet that matches it, dropped by another or not.
 */
import type { Frame } from '../core/index.js';
import { checkFilter, type FrameFilter, FrameMatcher } from './frame-filter.js';
import { refuse, within } from './refuse.js';
import type { TrafficClass } from './traffic-class.js';
import { FCS_BYTES, GAP_BYTES, PREAMBLE_BYTES } from './wire-size.js';

/** Plain JSON. */
export interface DropRule {
  /** Since the fiber's epoch, whole nanoseconds. */
  readonly fromNs: number;
  /** null for ever. */
  readonly untilNs: number | null;
  /** null for every packet. */
  readonly match: FrameFilter | null;
  /** The first matching packet that is dropped, counted from 1. */
  readonly nth: number;
  /** How many in a row from there on; null for all. */
  readonly count: number | null;
}

const MAX_RULES = 64;
const MAX_NS = 1e16;
const MAX_COUNT = 1e12;

/** @throws ConfigError `FIBER_DROPS_RANGE`, `FIBER_FILTER` */
export function checkDrops(rules: readonly DropRule[], where: string): readonly DropRule[] {
  const wrong = (what: string, rule: object, hint: string): never =>
    refuse('FIBER_DROPS_RANGE', `${where}: ${what}`, rule, { hint });
  if (rules.length > MAX_RULES) {
    wrong(`${rules.length} scripted drops are more than ${MAX_RULES}`, {}, 'use a loss model or a time line');
  }
  return rules.map((rule) => {
    const { fromNs, untilNs, match, nth, count } = rule;
    if (!within(fromNs, 0, MAX_NS) || (untilNs !== null && !within(untilNs, fromNs + 1, MAX_NS))) {
      wrong('a scripted drop ends before it begins', rule, 'give an instant, or a longer time');
    }
    for (const n of [nth, count ?? 1]) {
      if (within(n, 1, MAX_COUNT) && Number.isInteger(n)) continue;
      wrong(`a scripted drop of packet ${n} is outside 1..${MAX_COUNT}`, rule, 'packets are counted from 1');
    }
    return {
      fromNs: Math.round(fromNs),
      untilNs: untilNs === null ? null : Math.round(untilNs),
      match: match === null ? null : checkFilter(match, where),
      nth,
      count,
    };
  });
}

/** What a rule is asked about: a frame as it leaves the transmitter. */
export interface SentFrame {
  readonly frame: Frame;
  readonly trafficClass: TrafficClass;
  readonly packets: number;
  readonly wireBytes: number;
  readonly packetBytes: number;
}

/** A lane's rules and how far each has counted. */
export class DropScript {
  readonly #rules: readonly { readonly rule: DropRule; readonly matcher: FrameMatcher; seen: number }[];
  readonly #epochNs: number;

  /** @param epochNs the instant that the rules' times count from */
  constructor(rules: readonly DropRule[], epochNs: number) {
    this.#rules = rules.map((rule) => ({ rule, matcher: new FrameMatcher(rule.match ?? {}), seen: 0 }));
    this.#epochNs = epochNs;
  }

  /**
   * Adds to `out` which of the frame's packets are dropped; `out` stays ascending, with each once.
   * @param sentNs when the frame's last bit leaves
   */
  hits(sent: SentFrame, sentNs: number, out: number[]): void {
    const atNs = sentNs - this.#epochNs;
    for (const entry of this.#rules) {
      const { rule, matcher } = entry;
      if (atNs < rule.fromNs || (rule.untilNs !== null && atNs >= rule.untilNs)) continue;
      if (!matcher.hasHeaders(sent.frame, sent.trafficClass)) continue;
      const end = rule.count === null ? Number.POSITIVE_INFINITY : rule.nth + rule.count;
      for (let i = 0; i < sent.packets; i++) {
        if (!matcher.hasLength(packetLength(sent, i))) continue;
        entry.seen++;
        if (entry.seen >= rule.nth && entry.seen < end && !out.includes(i)) out.push(i);
      }
    }
    if (out.length > 1) out.sort((a, b) => a - b);
  }
}

/** Bytes of packet `i` from destination MAC to the end of its padding. */
function packetLength({ packets, wireBytes, packetBytes }: SentFrame, i: number): number {
  const onWire = i < packets - 1 ? packetBytes : wireBytes - (packets - 1) * packetBytes;
  return onWire - PREAMBLE_BYTES - FCS_BYTES - GAP_BYTES;
}
