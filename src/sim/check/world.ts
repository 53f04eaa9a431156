/**
 * The state of both hosts and of what lies between them, as small numbers, so that it can be copied and compared.
 *
 *   host a: machine, records, guest, memory, work under way        host b: likewise
 *                    │  control ══ messages ══► ◄══ messages ══  │
 *                    │  pages   ══ rounds ══►   ══ served ══►    │
 *
 * A world has no time: whatever waits may come due at any moment.
 */

/** No machine: its process is gone, or another one stands in its place. */
export const NO_MACHINE = 0xffff;

export const LINK_UP = 0;
/** The connection is dead; a new one could be made. */
export const LINK_BROKEN = 1;
export const LINK_DOWN = 2;

/** The guest's copy at the source. */
export const A_RUNS = 0;
export const A_STANDS = 1;
/** Its memory was given up: it is elsewhere. */
export const A_FREED = 2;
/** It died with its host. */
export const A_DEAD = 3;

export const B_ABSENT = 0;
export const B_RUNS = 1;
export const B_DEAD = 2;

export const COMMIT = 1;
export const ENDED = 2;
export const RUNNING = 1;
export const NEVER = 2;
/** The decision was deleted from the store; the epoch was not. */
export const FORGOTTEN = 4;
/** The host has begun a new store: what the old one said is out of its reach. */
export const OTHER_STORE = 8;

/** What an operator has said: the copy at the source runs again, or is of no more use. */
export const WORD_RESUME = 1;
export const WORD_DISCARD = 2;

/** The late frame has come; it came when no connection was left to forward it by. */
export const FRAME_CAME = 1;
export const FRAME_EXCUSED = 2;

const BITS_A_PAGE = 3;
const PAGE_MASK = 7;
/** The content of a page that changed on its way; 0 is no content. */
export const CORRUPT = 7;

const SCALARS = [
  'source',
  'destination',
  'aliveA',
  'aliveB',
  'guestA',
  'guestB',
  'recordsA',
  'recordsB',
  'link',
  'noticeA',
  'noticeB',
  'stray',
  'strayTo',
  'memoryA',
  'sentA',
  'dirty',
  'tracking',
  'memoryB',
  'missing',
  'cameRound',
  'notCome',
  'serving',
  'listening',
  'announced',
  'finalSent',
  'word',
  'frame',
  'framesA',
  'framesB',
  'crashes',
  'losses',
  'duplicates',
  'reorderings',
  'partitions',
  'corruptions',
  'storesLost',
  'writes',
] as const;
const LISTS = ['toB', 'toA', 'rounds', 'workA', 'workB'] as const;

type Scalar = (typeof SCALARS)[number];

/** Fields ending in s that count faults say how many are still to come. */
export class World implements Record<Scalar, number> {
  source = NO_MACHINE;
  destination = NO_MACHINE;
  aliveA = 1;
  aliveB = 1;
  guestA = A_RUNS;
  guestB = B_ABSENT;
  recordsA = 0;
  recordsB = 0;
  link = LINK_UP;
  /** A host has still to hear that its connection is dead. */
  noticeA = 0;
  noticeB = 0;
  /** A message that will come once more, and to whom: 1 is b, 0 is a. Message 0 is none. */
  stray = 0;
  strayTo = 0;
  /** Page contents, three bits a page. */
  memoryA = 0;
  /** As last sent, and counted in the set-hash. */
  sentA = 0;
  /** Bits by pfn. */
  dirty = 0;
  tracking = 0;
  memoryB = 0;
  missing = 0;
  /** The last round of which anything came, and what of it did not. */
  cameRound = 0;
  notCome = 0;
  /** Pages on their way behind FINAL. */
  serving = 0;
  /** The source's driver reads the guest's port. */
  listening = 0;
  announced = 0;
  finalSent = 0;
  word = 0;
  /** The late frame: still to come, or as `FRAME_CAME` says. */
  frame = 0;
  framesA = 0;
  framesB = 0;
  crashes = 0;
  losses = 0;
  duplicates = 0;
  reorderings = 0;
  partitions = 0;
  corruptions = 0;
  storesLost = 0;
  writes = 0;
  /** Messages on their way, oldest first; replaced, never changed. */
  toB: readonly number[] = [];
  toA: readonly number[] = [];
  /** Rounds of pages on their way: round · 512 + contents. */
  rounds: readonly number[] = [];
  /** What a host's driver has begun and not yet told its machine of, in the order it will. */
  workA: readonly number[] = [];
  workB: readonly number[] = [];

  clone(): World {
    return Object.assign(new World(), this);
  }

  /** A text that is the world. */
  encode(): string {
    const codes: number[] = [];
    for (const name of SCALARS) codes.push(this[name]);
    for (const name of LISTS) {
      const list = this[name];
      codes.push(list.length);
      for (let i = 0; i < list.length; i++) codes.push(list[i]!);
    }
    return String.fromCharCode(...codes);
  }

  static decode(text: string): World {
    const world = new World();
    let at = 0;
    for (const name of SCALARS) world[name] = text.charCodeAt(at++);
    for (const name of LISTS) {
      const length = text.charCodeAt(at++);
      const list: number[] = [];
      for (let i = 0; i < length; i++) list.push(text.charCodeAt(at++));
      world[name] = list;
    }
    return world;
  }
}

export function pageAt(memory: number, pfn: number): number {
  return (memory >> (pfn * BITS_A_PAGE)) & PAGE_MASK;
}

export function withPage(memory: number, pfn: number, content: number): number {
  return (memory & ~(PAGE_MASK << (pfn * BITS_A_PAGE))) | (content << (pfn * BITS_A_PAGE));
}

/** The memory without the pages of a set of bits, or with them alone. */
export function withoutPages(memory: number, bits: number): number {
  let rest = memory;
  for (let pfn = 0; bits >> pfn !== 0; pfn++) if ((bits >> pfn) & 1) rest = withPage(rest, pfn, 0);
  return rest;
}

/** Writes the pages of `from` that have content over those of `to`. */
export function overlay(to: number, from: number): number {
  let memory = to;
  for (let pfn = 0; from >> (pfn * BITS_A_PAGE) !== 0; pfn++) {
    const content = pageAt(from, pfn);
    if (content !== 0) memory = withPage(memory, pfn, content);
  }
  return memory;
}

export function pagesIn(memory: number): number {
  let n = 0;
  for (let rest = memory; rest !== 0; rest >>= BITS_A_PAGE) if ((rest & PAGE_MASK) !== 0) n++;
  return n;
}
