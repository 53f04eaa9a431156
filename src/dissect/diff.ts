/**
 * Two captures of one traffic: what was lost between them, changed, reordered, and by how much delayed.
 *
 *   A ─► prints (frame-print.ts)                  B ─► each packet takes the oldest of A that is
 *                                                      1 the same by packet id, where both captures have ids
 *                                                      2 the same in every byte
 *                                                      3 the same but for what a path rewrites      → changed: mac, vlan, ip, ttl, checks
 *                                                      4 the same head, another payload             → changed: payload
 *
 * What of A is left was lost; what of B is left is a second copy, or only there. Delay is B's stamp minus A's: exact
 * where one clock stamped both, as in a recording of ours; else its spread counts and not its size.
 * Bounded: four million packets of each capture, 40 bytes a packet.
 */

import type { CaptureReader } from '../capture/files/index.js';
import { epochDifferenceNs, type ReadPacket } from '../capture/index.js';
import { ConfigError } from '../core/index.js';
import { describeFrame } from '../l2/index.js';
import { type Distribution, DurationHistogram, Selection, toEthernet } from '../replay/index.js';
import { frameParts, PRINT_PARTS, type PrintPart } from './frame-print.js';

export type DissectErrorCode = 'DISSECT_LIMIT' | 'DISSECT_NOTHING';

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

const PACKETS_MAX = 4_000_000;
const PARTS = PRINT_PARTS.length;

/** The prints of a capture, packet by packet. */
class Prints {
  count = 0;
  readonly ids: (number | null)[] = [];
  readonly numbers: number[] = [];
  readonly atNs: number[] = [];
  #parts = new Uint32Array(1024 * PARTS);

  get parts(): Uint32Array {
    return this.#parts;
  }

  add(number: number, packet: ReadPacket, frame: Uint8Array): void {
    if (this.count === PACKETS_MAX) {
      throw new ConfigError<DissectErrorCode>(
        'DISSECT_LIMIT',
        `a capture of more than ${PACKETS_MAX} packets is not compared`,
        { hint: 'cut it by time or by interface: editcap -A … -B …, or --interface-a and --interface-b' },
      );
    }
    if ((this.count + 1) * PARTS > this.#parts.length) {
      const grown = new Uint32Array(this.#parts.length * 2);
      grown.set(this.#parts);
      this.#parts = grown;
    }
    frameParts(frame, this.#parts.subarray(this.count * PARTS, (this.count + 1) * PARTS));
    this.count++;
    this.ids.push(packet.packetId);
    this.numbers.push(number);
    this.atNs.push(packet.atNs);
  }

  /** A key over some of the parts. */
  key(i: number, parts: readonly number[]): string {
    let key = '';
    for (const part of parts) key += `${this.#parts[i * PARTS + part]!.toString(36)}.`;
    return key;
  }
}

interface Loaded {
  readonly prints: Prints;
  readonly epoch: CaptureReader['epoch'];
}

const ALL = PRINT_PARTS.map((_, i) => i);
const REWRITTEN = ['mac', 'vlan', 'ip', 'ttl', 'checks'];
/** Who sends to whom. */
const FLOW = ALL.filter((i) => PRINT_PARTS[i] === 'mac' || PRINT_PARTS[i] === 'ip');
/** No fiber delays by so much. */
const CLOCKS_DIFFER_NS = 60e9;
/** What no path rewrites. */
const KEPT = ALL.filter((i) => !REWRITTEN.includes(PRINT_PARTS[i]!));
/** What tells a packet whose payload was changed. */
const HEAD_ONLY = ALL.filter((i) => PRINT_PARTS[i] === 'head' || PRINT_PARTS[i] === 'ip');

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
  const matching = match(a.prints, b.prints);
  const { toA, matchedBy } = matching;
  const found: Found[] = [];
  const changedParts: Partial<Record<PrintPart, number>> = {};
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
    const changed = changedOf(a.prints, of, b.prints, i);
    for (const part of changed) changedParts[part] = (changedParts[part] ?? 0) + 1;
    if (changed.length > 0) note({ kind: 'changed', a: of, b: i, changed });
    const flow = a.prints.key(of, FLOW);
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
    changedParts,
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

/** A packet of B that is none of A's, and one whose like has come already. */
const NONE = -1;
const COPY = -2;

/** For each packet of B the packet of A that it is. */
function match(a: Prints, b: Prints): { toA: Int32Array; matchedBy: CaptureDiff['matchedBy'] } {
  const toA = new Int32Array(b.count).fill(NONE);
  const free = new Uint8Array(a.count).fill(1);
  const haveIds =
    a.count > 0 && b.count > 0 && a.ids.every((x) => x !== null) && b.ids.every((x) => x !== null);
  const keysA = new Map(a.ids.map((packetId, i) => [packetId, i]));
  const byId = haveIds && b.ids.some((x) => keysA.has(x));
  const passes = byId
    ? [(p: Prints, i: number) => String(p.ids[i])]
    : [ALL, KEPT, HEAD_ONLY].map((parts) => (p: Prints, i: number) => p.key(i, parts));
  for (const [pass, keyOf] of passes.entries()) {
    const waiting = new Map<string, number[]>();
    const seen = new Set<string>();
    for (let i = 0; i < a.count; i++) {
      const key = keyOf(a, i);
      if (pass === 0) seen.add(key);
      if (free[i] === 0) continue;
      const list = waiting.get(key);
      if (list === undefined) waiting.set(key, [i]);
      else list.push(i);
    }
    const heads = new Map<string, number>();
    for (let i = 0; i < b.count; i++) {
      if (toA[i]! >= 0) continue;
      const key = keyOf(b, i);
      const list = waiting.get(key);
      const head = heads.get(key) ?? 0;
      if (list === undefined || head >= list.length) {
        if (pass === 0 && seen.has(key)) toA[i] = COPY;
        continue;
      }
      toA[i] = list[head]!;
      free[list[head]!] = 0;
      heads.set(key, head + 1);
    }
  }
  return { toA, matchedBy: byId ? 'packet id' : 'content' };
}

function changedOf(a: Prints, i: number, b: Prints, j: number): PrintPart[] {
  return PRINT_PARTS.filter((_, part) => a.parts[i * PARTS + part] !== b.parts[j * PARTS + part]);
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
