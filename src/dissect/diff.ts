/**
 * Two captures of one traffic: what was lost between them, changed, reordered, and by how much delayed.
 *
 *   A ─► prints (frame-print.ts) ─┐
 *                                 ├─► match.ts: each packet of B is one of A's, a copy, or only there
 *   B ─► prints ──────────────────┘      what it differs in → changed: mac, vlan, ip, ttl, checks, payload
 *
 * What of A is left was lost. Delay is B's stamp minus A's: exact where one clock stamped both, as in a recording of
 * ours; else its spread counts and not its size. Bounded: four million packets of each capture, some 100 bytes a packet.
 */

import type { CaptureReader } from '../capture/files/index.js';
import { epochDifferenceNs, type ReadPacket } from '../capture/index.js';
import { describeFrame } from '../l2/index.js';
import { type Distribution, DurationHistogram, Selection, toEthernet } from '../replay/index.js';
import { PRINT_PARTS, type PrintPart } from './frame-print.js';
import { COPY, changedParts, match } from './match.js';
import { Prints } from './prints.js';

export interface DiffOptions {
  /** Only packets of this interface; null: of each packet its first sight. */
  readonly interfaceA: string | null;
  readonly interfaceB: string | null;
  /** Differences that are listed of each kind. */
  readonly listed: number;
}

/** One packet that is not the same in both. Numbers count from 1 in their capture. */
export interface Difference {
  readonly kind: 'lost' | 'added' | 'duplicated' | 'changed' | 'reordered';
  readonly numberA: number | null;
  readonly numberB: number | null;
  /** After the first packet of the capture it is in; A's where it is in both. */
  readonly atNs: number;
  readonly changed: readonly PrintPart[];
  readonly text: string;
}

export interface CaptureDiff {
  readonly packetsA: number;
  readonly packetsB: number;
  readonly matchedBy: 'packet id' | 'content';
  /** In both, changed ones too. */
  readonly matched: number;
  readonly lost: number;
  readonly added: number;
  readonly duplicated: number;
  readonly reordered: number;
  readonly changed: number;
  /** How often each part was changed. */
  readonly changedParts: Readonly<Partial<Record<PrintPart, number>>>;
  /** B's stamp minus A's. Where the clocks differ, below zero or by minutes, `delayFloorNs` is taken off. */
  readonly delayNs: Distribution;
  /** Matched by packet id: of packets that were at B first, A's stamp minus B's. They went the other way. */
  readonly delayBackNs: Distribution;
  /** The smallest delay, where the clocks differ: what `delayNs` counts from. Else 0. */
  readonly delayFloorNs: number;
  readonly differences: readonly Difference[];
}

interface Loaded {
  readonly prints: Prints;
  readonly epoch: CaptureReader['epoch'];
}

/** Who sends to whom. */
const FLOW = [PRINT_PARTS.indexOf('mac'), PRINT_PARTS.indexOf('ip')] as const;
/** No fiber delays by so much. */
const CLOCKS_DIFFER_NS = 60e9;

/**
 * Compares two captures.
 * @param openA opens the first; it is read twice @throws ConfigError DISSECT_…, CAPTURE_…
 */
export async function diffCaptures(
  openA: () => Promise<CaptureReader>,
  openB: () => Promise<CaptureReader>,
  options: DiffOptions,
): Promise<CaptureDiff> {
  const a = await load(openA, options.interfaceA);
  const b = await load(openB, options.interfaceB);
  const clockNs = a.epoch === null || b.epoch === null ? 0 : epochDifferenceNs(b.epoch, a.epoch);
  const { toA, matchedBy } = match(a.prints, b.prints);
  const found: Found[] = [];
  const partsChanged: Partial<Record<PrintPart, number>> = {};
  const delays: number[] = [];
  const counts = { matched: 0, lost: 0, added: 0, duplicated: 0, reordered: 0, changed: 0 };
  const note = (difference: Found): void => {
    counts[difference.kind]++;
    if (counts[difference.kind] <= options.listed) found.push(difference);
  };
  const cameOf = new Uint8Array(a.prints.count);
  // By who sends to whom: the two ways of a conversation do not hold each other up.
  const highest = new Map<string, number>();
  for (let i = 0; i < b.prints.count; i++) {
    const of = toA[i]!;
    if (of < 0) {
      note({ kind: of === COPY ? 'duplicated' : 'added', a: -1, b: i, changed: [] });
      continue;
    }
    cameOf[of] = 1;
    counts.matched++;
    delays.push(b.prints.atNs[i]! + clockNs - a.prints.atNs[of]!);
    const changed = changedParts(a.prints, of, b.prints, i);
    for (const part of changed) partsChanged[part] = (partsChanged[part] ?? 0) + 1;
    if (changed.length > 0) note({ kind: 'changed', a: of, b: i, changed });
    const flow = FLOW.map((part) => a.prints.part(of, part)).join();
    if (of < (highest.get(flow) ?? -1)) note({ kind: 'reordered', a: of, b: i, changed: [] });
    else highest.set(flow, of);
  }
  for (let i = 0; i < a.prints.count; i++) {
    if (cameOf[i] === 0) note({ kind: 'lost', a: i, b: -1, changed: [] });
  }
  // One clock has stamped what has one id: before A means that it came from B.
  const bothWays = matchedBy === 'packet id';
  const smallest = delays.reduce((least, d) => Math.min(least, d), delays[0] ?? 0);
  const delayFloorNs = !bothWays && (smallest < 0 || smallest > CLOCKS_DIFFER_NS) ? smallest : 0;
  const there = new DurationHistogram();
  const back = new DurationHistogram();
  for (const d of delays) {
    if (bothWays && d < 0) back.record(-d);
    else there.record(d - delayFloorNs);
  }
  return {
    packetsA: a.prints.count,
    packetsB: b.prints.count,
    matchedBy,
    ...counts,
    changedParts: partsChanged,
    delayNs: there.distribution(),
    delayBackNs: back.distribution(),
    delayFloorNs,
    differences: await described(found, a, b, openA, openB, options),
  };
}

interface Found {
  readonly kind: Difference['kind'];
  readonly a: number;
  readonly b: number;
  readonly changed: readonly PrintPart[];
}

async function load(open: () => Promise<CaptureReader>, interfaceName: string | null): Promise<Loaded> {
  const prints = new Prints();
  const reader = await open();
  for await (const { packet, number, frame } of selected(reader, interfaceName))
    prints.add(number, packet, frame);
  return { prints, epoch: reader.epoch };
}

async function* selected(
  reader: CaptureReader,
  interfaceName: string | null,
): AsyncGenerator<{ packet: ReadPacket; number: number; frame: Uint8Array }> {
  const selection = new Selection(interfaceName);
  let number = 0;
  for await (const batch of reader.batches()) {
    for (const packet of batch) {
      number++;
      if (!selection.wants(packet, reader)) continue;
      const frame = toEthernet(reader.interfaces[packet.interfaceId]!.linkType, packet.bytes);
      if (frame !== null) yield { packet, number, frame };
    }
  }
}

/** Reads both once more for a line about each difference that is listed. */
async function described(
  found: readonly Found[],
  a: Loaded,
  b: Loaded,
  openA: () => Promise<CaptureReader>,
  openB: () => Promise<CaptureReader>,
  options: DiffOptions,
): Promise<Difference[]> {
  const inA = await linesOf(
    openA,
    options.interfaceA,
    new Set(found.filter((f) => f.a >= 0).map((f) => f.a)),
  );
  const inB = await linesOf(openB, options.interfaceB, new Set(found.filter((f) => f.a < 0).map((f) => f.b)));
  return found.map(({ kind, a: i, b: j, changed }) => ({
    kind,
    numberA: i < 0 ? null : a.prints.numbers[i]!,
    numberB: j < 0 ? null : b.prints.numbers[j]!,
    atNs: i < 0 ? b.prints.atNs[j]! : a.prints.atNs[i]!,
    changed,
    text: (i < 0 ? inB.get(j) : inA.get(i)) ?? '',
  }));
}

async function linesOf(
  open: () => Promise<CaptureReader>,
  interfaceName: string | null,
  wanted: ReadonlySet<number>,
): Promise<ReadonlyMap<number, string>> {
  const lines = new Map<number, string>();
  if (wanted.size === 0) return lines;
  let i = 0;
  for await (const { frame } of selected(await open(), interfaceName)) {
    if (wanted.has(i)) lines.set(i, describeFrame(frame));
    i++;
    if (lines.size === wanted.size) break;
  }
  return lines;
}
