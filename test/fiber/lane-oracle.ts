/**
 * A lane written for no purpose but to be right: every instant is a fraction of two BigInts, the waiting
 * frames are one unsorted list, and each thing that happens is looked for among all that could. O(n²).
 */
import type { Frame } from '../../src/core/index.js';
import type { FrameOffered, LaneChanged, LaneSettings } from '../../src/fiber/index.js';
import type { Input } from './traffic.js';

/** num / den nanoseconds. */
interface Instant {
  readonly num: bigint;
  readonly den: bigint;
}

interface Entry {
  readonly frame: Frame;
  readonly order: number;
  readonly trafficClass: number;
  /** Original index and wire bytes of each packet still there. */
  packets: { index: number; bytes: number }[];
  total: number;
}

const whole = (ns: number): Instant => ({ num: BigInt(ns), den: 1n });
const compare = (a: Instant, b: Instant): number => Number(a.num * b.den - b.num * a.den);
const plus = (a: Instant, b: Instant): Instant => ({
  num: a.num * b.den + b.num * a.den,
  den: a.den * b.den,
});
const ceilNs = (a: Instant): number => Number((a.num + a.den - 1n) / a.den);
const bytesOf = (packets: readonly { bytes: number }[]): number => packets.reduce((n, p) => n + p.bytes, 0);

/**
 * What becomes of every frame, in the form of `outcomeOf`: deliveries and losses by arrival, then other drops as decided.
 * @param isLost whether the n-th packet that is sent is lost
 */
export function oracle(
  initial: LaneSettings,
  inputs: readonly Input<FrameOffered | LaneChanged>[],
  isLost: (sent: number) => boolean,
): { arrived: object[]; refused: object[] } {
  const arrived: object[] = [];
  const refused: object[] = [];
  let settings = initial;
  let waiting: Entry[] = [];
  let serving: Entry | null = null;
  let endsAt: Instant = whole(0);
  let lastArrivalNs = 0;
  let sent = 0;

  const common = (type: string, entry: Entry, packets: readonly { bytes: number }[]) => ({
    type,
    id: entry.frame.start,
    direction: 'a-b',
    span: 0,
    packets: packets.length,
    wireBytes: bytesOf(packets),
  });
  const refuse = (entry: Entry, reason: string) =>
    refused.push({ ...common('drop', entry, entry.packets), reason });

  const serve = (entry: Entry, startsAt: Instant) => {
    serving = entry;
    const bits = BigInt(bytesOf(entry.packets)) * 8n;
    const { rateBps } = settings;
    endsAt = Number.isFinite(rateBps)
      ? plus(startsAt, { num: bits * 1_000_000_000n, den: BigInt(rateBps) })
      : startsAt;
  };

  const endService = () => {
    const entry = serving!;
    serving = null;
    lastArrivalNs = Math.max(lastArrivalNs, ceilNs(endsAt) + settings.oneWayNs);
    const through = entry.packets.filter(() => !isLost(sent++));
    if (through.length === 0) arrived.push({ ...common('drop', entry, entry.packets), reason: 'loss' });
    else {
      const there = new Set(through.map((p) => p.index));
      const lost = Array.from({ length: entry.total }, (_, i) => i).filter((i) => !there.has(i));
      arrived.push({
        ...common('deliver', entry, through),
        dueNs: lastArrivalNs,
        lost: lost.length > 0 ? lost : null,
      });
    }
    const next = waiting.toSorted((a, b) => a.trafficClass - b.trafficClass || a.order - b.order)[0];
    if (next === undefined) return;
    waiting = waiting.filter((e) => e !== next);
    serve(next, endsAt);
  };

  inputs.forEach(({ atNs, event }, order) => {
    while (serving !== null && compare(endsAt, whole(atNs)) < 0) endService();
    if (event.type === 'changed') {
      settings = { ...settings, ...event.set };
      if (event.set.link === 'down') {
        const cut = waiting.toSorted((a, b) => a.trafficClass - b.trafficClass || a.order - b.order);
        for (const entry of serving === null ? cut : [serving, ...cut]) refuse(entry, 'link-down');
        serving = null;
        waiting = [];
      }
      return;
    }
    const { frame, trafficClass, packets: total, packetBytes, wireBytes } = event;
    const packets = Array.from({ length: total }, (_, index) => ({
      index,
      bytes: index < total - 1 ? packetBytes : wireBytes - (total - 1) * packetBytes,
    }));
    const entry: Entry = { frame, order, trafficClass, packets, total };
    if (settings.link === 'down') refuse(entry, 'link-down');
    else if (serving === null) serve(entry, whole(atNs));
    else {
      const queue = waiting.filter((e) => e.trafficClass === trafficClass).flatMap((e) => e.packets);
      const fits: typeof packets = [];
      for (const packet of packets) {
        const bytes = bytesOf(queue) + bytesOf(fits) + packet.bytes;
        if (bytes > settings.queueBytes || queue.length + fits.length >= settings.queueFrames) break;
        fits.push(packet);
      }
      if (fits.length === 0) refuse(entry, 'queue-full');
      else {
        entry.packets = fits;
        waiting.push(entry);
      }
    }
    while (serving !== null && compare(endsAt, whole(atNs)) <= 0) endService();
  });
  while (serving !== null) endService();
  return { arrived, refused };
}
