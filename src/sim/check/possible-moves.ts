/**
 * All that may happen next in a world. That the list is complete is judged by reading it in one go.
 *
 *   the link · pages on their way · the hosts · an operator: free, and only when it is true: the copy that is given
 *   up for dead is dead
 */
import type { Bounds } from './bounds.js';
import { RECORD_NEVER, RECORD_RUNNING } from './destination-driver.js';
import { decisionOf, type Model } from './model.js';
import { CODES } from './move-names.js';
import { CONTENT_MASK, RECORD_COMMIT, RECORD_ENDED } from './source-driver.js';
import {
  A_RUNS,
  COMMIT,
  ENDED,
  LINK_BROKEN,
  LINK_DOWN,
  LINK_UP,
  NO_MACHINE,
  OTHER_STORE,
  pageAt,
  pagesIn,
  type World,
} from './world.js';

export class PossibleMoves {
  readonly #model: Model;
  readonly #bounds: Bounds;

  constructor(model: Model, bounds: Bounds) {
    this.#model = model;
    this.#bounds = bounds;
  }

  /** Appends every move that may be made. */
  all(w: World, out: number[]): void {
    this.#onTheLink(w, out);
    this.#pages(w, out);
    this.#atTheHosts(w, out);
    if (w.aliveA === 1) this.#byAnOperator(w, out);
  }

  #onTheLink(w: World, out: number[]): void {
    const up = w.link === LINK_UP;
    if (w.toB.length > 0 && w.aliveB === 1) {
      out.push(CODES['deliver to b']);
      if (w.reorderings > 0 && w.toB.length > 1) out.push(CODES['overtake to b']);
      if (w.losses > 0) out.push(CODES['lose to b']);
      if (w.duplicates > 0 && this.#mayDouble(w.toB[0]!)) out.push(CODES['double to b']);
    }
    if (w.toA.length > 0 && w.aliveA === 1) {
      out.push(CODES['deliver to a']);
      if (w.reorderings > 0 && w.toA.length > 1) out.push(CODES['overtake to a']);
      if (w.losses > 0) out.push(CODES['lose to a']);
      if (w.duplicates > 0 && this.#mayDouble(w.toA[0]!)) out.push(CODES['double to a']);
    }
    if (w.stray > 0 && up) out.push(CODES['deliver the double']);
    if (w.noticeA === 1) out.push(CODES['a hears of the break']);
    if (w.noticeB === 1) out.push(CODES['b hears of the break']);
    if (up && w.partitions > 0) {
      out.push(CODES['the link goes down']);
      if (w.rounds.length > 0 && pagesIn(w.rounds[0]! & CONTENT_MASK) > 1)
        out.push(CODES['the link goes down'] + 1);
    }
    if (w.link === LINK_DOWN) out.push(CODES['the link comes back']);
    const both = w.aliveA === 1 && w.aliveB === 1 && w.source !== NO_MACHINE;
    if (both && w.noticeA === 0) {
      const phase = this.#model.source.phase(w.source);
      if (w.link === LINK_BROKEN && phase !== 'over') out.push(CODES.reconnect);
      const waits = phase === 'in-doubt' || (phase === 'serving' && (w.serving & w.missing) === 0);
      const quiet = w.toA.length + w.toB.length + w.rounds.length + w.workA.length + w.workB.length === 0;
      if (up && waits && quiet) out.push(CODES['ask again']);
    }
    if (up && this.sourceOver(w) && w.toB.length === 0) out.push(CODES['a closes']);
    if (up && this.#destinationOver(w) && w.toA.length === 0) out.push(CODES['b closes']);
  }

  /** Copies of late frames are the affair of bridges: the network may double any frame. */
  #mayDouble(id: number): boolean {
    return this.#model.book.get(id).type !== 'frame';
  }

  #pages(w: World, out: number[]): void {
    if (w.rounds.length > 0 && w.aliveB === 1) {
      out.push(CODES['apply round']);
      if (w.losses > 0) out.push(CODES['lose round']);
      const first = [...Array(this.#bounds.pages).keys()].find((pfn) => pageAt(w.rounds[0]!, pfn) !== 0);
      if (w.corruptions > 0 && first !== undefined) out.push(CODES['corrupt page'] + first);
    }
    const coming = w.serving & w.missing;
    for (let pfn = 0; coming >> pfn !== 0; pfn++) {
      if (((coming >> pfn) & 1) === 0) continue;
      out.push(CODES['place page'] + pfn);
      if (w.losses > 0) out.push(CODES['lose page'] + pfn);
    }
  }

  #atTheHosts(w: World, out: number[]): void {
    if (w.workA.length > 0) out.push(CODES['work at a']);
    if (w.workB.length > 0) out.push(CODES['work at b']);
    if (w.source !== NO_MACHINE && this.#model.source.waits(w.source)) out.push(CODES['time at a']);
    if (w.destination !== NO_MACHINE && this.#model.destination.waits(w.destination))
      out.push(CODES['time at b']);
    if (w.crashes > 0) {
      if (w.aliveA === 1) {
        out.push(CODES['a dies']);
        if (isRecord(w.workA[0], RECORD_COMMIT, RECORD_ENDED)) out.push(CODES['a dies'] + 1);
      }
      if (w.aliveB === 1) {
        out.push(CODES['b dies']);
        if (isRecord(w.workB[0], RECORD_RUNNING, RECORD_NEVER)) out.push(CODES['b dies'] + 1);
      }
    }
    if (w.aliveA === 0) out.push(CODES['a restarts']);
    if (w.aliveB === 0) {
      out.push(CODES['b restarts']);
      if (w.storesLost > 0) out.push(CODES['b restarts'] + 1);
    }
    if (w.guestA === A_RUNS && w.tracking === 1 && w.writes > 0 && w.recordsA === 0 && !this.sourceOver(w)) {
      for (let pfn = 0; pfn < this.#bounds.pages; pfn++) out.push(CODES['the guest writes'] + pfn);
    }
    if (w.listening === 1 && w.frame === 0 && this.#bounds.frames > 0) out.push(CODES['a late frame comes']);
  }

  #byAnOperator(w: World, out: number[]): void {
    if (w.source !== NO_MACHINE && this.#model.source.phase(w.source) === 'in-doubt') {
      out.push(CODES['operator asks']);
      // Only when it is true: the peer's process is gone, or has begun another store.
      const fenced = w.aliveB === 0 || (w.recordsB & OTHER_STORE) !== 0;
      if (fenced) out.push(CODES['operator resumes'], CODES['operator discards']);
      else if (decisionOf(w.recordsB) === 'RUNNING') out.push(CODES['operator discards']);
    }
    const doubt = w.source === NO_MACHINE && (w.recordsA & (COMMIT | ENDED)) === COMMIT;
    if (doubt && decisionOf(w.recordsB) !== null) out.push(CODES['operator closes the record']);
  }

  sourceOver(w: World): boolean {
    return w.source !== NO_MACHINE && this.#model.source.phase(w.source) === 'over';
  }

  #destinationOver(w: World): boolean {
    return w.destination !== NO_MACHINE && this.#model.destination.phase(w.destination) === 'over';
  }
}

function isRecord(work: number | undefined, one: number, other: number): boolean {
  return work === one || work === other;
}
