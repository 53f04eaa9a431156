/**
 * Which packet of A each packet of B is: the oldest of A that is the same and has not been taken yet.
 *
 *   1 the same by packet id, where both captures have ids; else
 *   1 the same in every byte
 *   2 the same but for what a path rewrites
 *   3 the same head, another payload
 *
 * A table of chains over A for each pass, 12 bytes a packet: no text, no object a packet.
 */
import { PRINT_PARTS } from './frame-print.js';
import { PARTS, type Prints } from './prints.js';

/** In `toA`: none of A's, and one whose like has come already. */
export const NONE = -1;
export const COPY = -2;

export interface Matching {
  /** For each packet of B that of A, or NONE, or COPY. */
  readonly toA: Int32Array;
  readonly matchedBy: 'packet id' | 'content';
}

const ALL = PRINT_PARTS.map((_, i) => i);
const REWRITTEN = ['mac', 'vlan', 'ip', 'ttl', 'checks'];
/** What no path rewrites. */
const KEPT = ALL.filter((i) => !REWRITTEN.includes(PRINT_PARTS[i]!));
/** What tells a packet whose payload was changed. */
const HEAD_ONLY = ALL.filter((i) => PRINT_PARTS[i] === 'head' || PRINT_PARTS[i] === 'ip');

/** By what packets are the same. */
interface Likeness {
  hash(prints: Prints, i: number): number;
  same(a: Prints, i: number, b: Prints, j: number): boolean;
}

const BY_ID: Likeness = {
  hash: (prints, i) => mixed((prints.id(i) % 0x1_0000_0000) | 0),
  same: (a, i, b, j) => a.id(i) === b.id(j),
};

function byParts(parts: readonly number[]): Likeness {
  return {
    hash: (prints, i) => {
      let h = 0;
      for (const part of parts) h = mixed(Math.imul(h, 31) + prints.part(i, part));
      return h;
    },
    same: (a, i, b, j) => parts.every((part) => a.part(i, part) === b.part(j, part)),
  };
}

/** The last steps of MurmurHash3 (Appleby 2011). */
function mixed(word: number): number {
  let h = Math.imul(word ^ (word >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}

export function match(a: Prints, b: Prints): Matching {
  const toA = new Int32Array(b.count).fill(NONE);
  const taken = new Uint8Array(a.count);
  if (a.count > 0 && b.count > 0 && a.haveIds && b.haveIds) {
    pass(BY_ID, a, b, taken, toA, true);
    // Ids of two recorders that know nothing of each other have nothing in common: then content tells.
    if (toA.some((i) => i >= 0)) return { toA, matchedBy: 'packet id' };
    toA.fill(NONE);
  }
  for (const [n, parts] of [ALL, KEPT, HEAD_ONLY].entries()) pass(byParts(parts), a, b, taken, toA, n === 0);
  return { toA, matchedBy: 'content' };
}

/** Gives each packet of B that has none the oldest of A that is alike. @param copies names those whose like has come */
function pass(
  likeness: Likeness,
  a: Prints,
  b: Prints,
  taken: Uint8Array,
  toA: Int32Array,
  copies: boolean,
): void {
  const table = new Chains(likeness, a, taken);
  for (let i = 0; i < b.count; i++) {
    if (toA[i]! >= 0) continue;
    const of = table.take(b, i);
    if (of >= 0) {
      toA[i] = of;
      taken[of] = 1;
    } else if (of === COPY && copies) toA[i] = COPY;
  }
}

/** Packets of A that may be taken, oldest first. The last of those that are alike stays when it is taken: it tells copies. */
class Chains {
  readonly #likeness: Likeness;
  readonly #a: Prints;
  readonly #mask: number;
  readonly #heads: Int32Array;
  readonly #next: Int32Array;
  readonly #spent: Uint8Array;

  constructor(likeness: Likeness, a: Prints, taken: Uint8Array) {
    this.#likeness = likeness;
    this.#a = a;
    const buckets = 2 ** Math.ceil(Math.log2(Math.max(2, a.count)));
    this.#mask = buckets - 1;
    this.#heads = new Int32Array(buckets).fill(NONE);
    this.#next = new Int32Array(a.count);
    this.#spent = new Uint8Array(a.count);
    for (let i = a.count - 1; i >= 0; i--) {
      if (taken[i] !== 0) continue;
      const bucket = likeness.hash(a, i) & this.#mask;
      this.#next[i] = this.#heads[bucket]!;
      this.#heads[bucket] = i;
    }
  }

  /** @returns the packet of A that `b`'s `j` is; NONE, or COPY when all that are alike have been taken */
  take(b: Prints, j: number): number {
    const bucket = this.#likeness.hash(b, j) & this.#mask;
    let before = NONE;
    let at = this.#heads[bucket]!;
    while (at !== NONE && !this.#likeness.same(this.#a, at, b, j)) {
      before = at;
      at = this.#next[at]!;
    }
    if (at === NONE) return NONE;
    if (this.#spent[at] !== 0) return COPY;
    if (this.#hasLike(at, b, j)) {
      if (before === NONE) this.#heads[bucket] = this.#next[at]!;
      else this.#next[before] = this.#next[at]!;
    } else this.#spent[at] = 1;
    return at;
  }

  #hasLike(at: number, b: Prints, j: number): boolean {
    for (let i = this.#next[at]!; i !== NONE; i = this.#next[i]!) {
      if (this.#likeness.same(this.#a, i, b, j)) return true;
    }
    return false;
  }
}

/** The parts in which two packets differ. */
export function changedParts(a: Prints, i: number, b: Prints, j: number): (typeof PRINT_PARTS)[number][] {
  const changed: (typeof PRINT_PARTS)[number][] = [];
  for (let part = 0; part < PARTS; part++) {
    if (a.part(i, part) !== b.part(j, part)) changed.push(PRINT_PARTS[part]!);
  }
  return changed;
}
