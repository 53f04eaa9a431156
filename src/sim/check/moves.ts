/**
 * All that may happen next in a world: what is on its way arrives, or is lost, or comes twice, or overtakes; work is
 * done; a wait ends; hosts die and come back; the link breaks; an operator acts.
 *
 *   fair     happens sooner or later if nothing else does
 *   fault    happens at most as often as the bounds allow
 *   operator free, and only when it is true: the copy that is given up for dead is dead
 *
 * A move is one number, so that a schedule is a short text: kind · 16 + argument.
 * Longer than 400 lines: what can happen is one list, and that it is complete is judged by reading it in one go.
 */
import type { Bounds } from './bounds.js';
import { DestinationDriver, RECORD_NEVER, RECORD_RUNNING } from './destination-driver.js';
import type { Journal } from './journal.js';
import { decisionOf, type Model } from './model.js';
import { CONTENT_MASK, RECORD_COMMIT, RECORD_ENDED, SourceDriver } from './source-driver.js';
import {
  A_DEAD,
  A_FREED,
  A_RUNS,
  B_DEAD,
  COMMIT,
  CORRUPT,
  ENDED,
  FRAME_EXCUSED,
  LINK_BROKEN,
  LINK_DOWN,
  LINK_UP,
  NEVER,
  NO_MACHINE,
  OTHER_STORE,
  pageAt,
  pagesIn,
  RUNNING,
  WORD_DISCARD,
  WORD_RESUME,
  World,
  withPage,
} from './world.js';

/** The kinds of moves, in the order of their numbers; new ones go to the end, so that old schedules stay true. */
export const MOVES = [
  'deliver to b',
  'deliver to a',
  'overtake to b',
  'overtake to a',
  'lose to b',
  'lose to a',
  'double to b',
  'double to a',
  'deliver the double',
  'apply round',
  'lose round',
  'corrupt page',
  'place page',
  'lose page',
  'work at a',
  'work at b',
  'time at a',
  'time at b',
  'a hears of the break',
  'b hears of the break',
  'the link goes down',
  'the link comes back',
  'reconnect',
  'ask again',
  'a closes',
  'b closes',
  'a dies',
  'b dies',
  'a restarts',
  'b restarts',
  'the guest writes',
  'a late frame comes',
  'operator asks',
  'operator resumes',
  'operator discards',
  'operator closes the record',
] as const;
export type MoveName = (typeof MOVES)[number];

const ARGUMENTS = 16;
/** Faults, by number. */
const FAULTS: ReadonlySet<MoveName> = new Set<MoveName>([
  'overtake to b',
  'overtake to a',
  'lose to b',
  'lose to a',
  'double to b',
  'double to a',
  'lose round',
  'corrupt page',
  'lose page',
  'the link goes down',
  'a dies',
  'b dies',
]);
/** What an environment may do or leave: nothing waits for it. */
const OPTIONAL: ReadonlySet<MoveName> = new Set<MoveName>([
  'deliver the double',
  'the guest writes',
  'a late frame comes',
]);
const MAX_CONTENT = 6;

export function nameOf(move: number): MoveName {
  return MOVES[Math.floor(move / ARGUMENTS)]!;
}

export function argumentOf(move: number): number {
  return move % ARGUMENTS;
}

export function isFault(move: number): boolean {
  return FAULTS.has(nameOf(move)) || (nameOf(move) === 'b restarts' && argumentOf(move) === 1);
}

/** Whether a world may rely on this move to happen in the end. */
export function isFair(move: number): boolean {
  return !isFault(move) && !OPTIONAL.has(nameOf(move));
}

function code(name: MoveName, argument = 0): number {
  return MOVES.indexOf(name) * ARGUMENTS + argument;
}

const CODES = Object.fromEntries(MOVES.map((name) => [name, code(name)])) as Record<MoveName, number>;

export class Moves {
  readonly #model: Model;
  readonly #bounds: Bounds;
  readonly #a: SourceDriver;
  readonly #b: DestinationDriver;

  constructor(model: Model, bounds: Bounds, journal: Journal) {
    this.#model = model;
    this.#bounds = bounds;
    this.#a = new SourceDriver(model, journal);
    this.#b = new DestinationDriver(model, journal);
  }

  /** Both hosts are up, the guest runs at a, the offer leaves. */
  first(): World {
    const w = new World();
    const { crashes, losses, duplicates, reorderings, partitions, corruptions, storesLost, writes } =
      this.#bounds;
    Object.assign(w, {
      crashes,
      losses,
      duplicates,
      reorderings,
      partitions,
      corruptions,
      storesLost,
      writes,
    });
    for (let pfn = 0; pfn < this.#bounds.pages; pfn++) w.memoryA = withPage(w.memoryA, pfn, 1);
    w.source = this.#model.source.root(0);
    w.destination = this.#model.newDestination(w);
    this.#a.start(w);
    return w;
  }

  /** Appends every move that may be made. */
  possible(w: World, out: number[]): void {
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
    if (up && this.#sourceOver(w) && w.toB.length === 0) out.push(CODES['a closes']);
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
    if (w.guestA === A_RUNS && w.tracking === 1 && w.writes > 0 && w.recordsA === 0 && !this.#sourceOver(w)) {
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

  /** The world after a move. @throws Violation when the move breaks a rule */
  after(before: World, move: number): World {
    const w = before.clone();
    this.#make(w, nameOf(move), argumentOf(move));
    if (w.source !== NO_MACHINE && this.#sourceOver(w) && w.link === LINK_UP) w.toA = [];
    return w;
  }

  #make(w: World, name: MoveName, argument: number): void {
    switch (name) {
      case 'deliver to b':
        return this.#b.received(w, takeB(w, 0));
      case 'deliver to a':
        return this.#a.received(w, takeA(w, 0));
      case 'overtake to b':
        w.reorderings--;
        return this.#b.received(w, takeB(w, 1));
      case 'overtake to a':
        w.reorderings--;
        return this.#a.received(w, takeA(w, 1));
      case 'lose to b':
        w.losses--;
        takeB(w, 0);
        return;
      case 'lose to a':
        w.losses--;
        takeA(w, 0);
        return;
      case 'double to b':
        w.duplicates--;
        w.stray = w.toB[0]!;
        w.strayTo = 1;
        return;
      case 'double to a':
        w.duplicates--;
        w.stray = w.toA[0]!;
        w.strayTo = 0;
        return;
      case 'deliver the double': {
        const { stray, strayTo } = w;
        w.stray = w.strayTo = 0;
        if (strayTo === 1) return w.aliveB === 1 ? this.#b.received(w, stray) : undefined;
        return w.aliveA === 1 ? this.#a.received(w, stray) : undefined;
      }
      case 'apply round':
        return this.#b.applied(w, takeRound(w));
      case 'lose round':
        w.losses--;
        takeRound(w);
        return;
      case 'corrupt page':
        w.corruptions--;
        return this.#b.applied(w, withPage(takeRound(w), argument, CORRUPT));
      case 'place page':
        return this.#b.placed(w, argument);
      case 'lose page':
        w.losses--;
        w.serving &= ~(1 << argument);
        return;
      case 'work at a':
        return this.#a.work(w);
      case 'work at b':
        return this.#b.work(w);
      case 'time at a':
        return this.#a.woke(w);
      case 'time at b':
        return this.#b.woke(w);
      case 'a hears of the break':
        w.noticeA = 0;
        w.toA = [];
        this.#a.stopSending(w);
        return this.#a.connectionLost(w);
      case 'b hears of the break':
        w.noticeB = 0;
        w.toB = w.rounds = [];
        return this.#b.connectionLost(w);
      case 'the link goes down':
        w.partitions--;
        if (argument === 1) this.#b.appliedInPart(w, w.rounds[0]!);
        w.toA = w.toB = w.rounds = [];
        w.serving = 0;
        return breakLink(w, LINK_DOWN);
      case 'the link comes back':
        w.link = LINK_BROKEN;
        return;
      case 'reconnect':
        w.link = LINK_UP;
        w.toA = w.toB = w.rounds = [];
        w.noticeB = w.serving = 0;
        this.#a.stopSending(w);
        this.#b.reconnected(w);
        return this.#a.reconnected(w);
      case 'ask again':
        this.#a.connectionLost(w);
        this.#b.reconnected(w);
        return this.#a.reconnected(w);
      case 'a closes':
        breakLink(w, LINK_BROKEN);
        w.noticeA = 0;
        return;
      case 'b closes':
        breakLink(w, LINK_BROKEN);
        w.noticeB = 0;
        w.destination = NO_MACHINE;
        // It has waited two minutes for ENDED: what is forwarded after that finds nobody.
        if (w.framesA + w.framesB === 0) w.frame = FRAME_EXCUSED;
        return;
      case 'a dies':
        return this.#aDies(w, argument === 1);
      case 'b dies':
        return this.#bDies(w, argument === 1);
      case 'a restarts':
        w.aliveA = 1;
        return;
      case 'b restarts':
        w.aliveB = 1;
        if (argument === 0) return;
        w.storesLost--;
        w.recordsB |= OTHER_STORE;
        return;
      case 'the guest writes':
        w.writes--;
        w.memoryA = withPage(w.memoryA, argument, Math.min(MAX_CONTENT, pageAt(w.memoryA, argument) + 1));
        w.dirty |= 1 << argument;
        return;
      case 'a late frame comes':
        return this.#a.frame(w);
      case 'operator asks':
        return this.#operatorAsks(w);
      case 'operator resumes':
        if (decisionOf(w.recordsB) === null && (w.recordsB & OTHER_STORE) === 0) w.recordsB |= NEVER;
        w.word |= WORD_RESUME;
        return this.#a.resolved(w, 'never');
      case 'operator discards':
        w.word |= WORD_DISCARD;
        return this.#a.resolved(w, 'running');
      case 'operator closes the record':
        w.recordsA |= ENDED;
        return;
    }
  }

  #aDies(w: World, written: boolean): void {
    if (written) this.#a.recordStands(w, w.workA[0]!);
    w.crashes--;
    w.aliveA = 0;
    w.source = NO_MACHINE;
    if (w.guestA !== A_FREED) w.guestA = A_DEAD;
    w.workA = w.toA = [];
    w.serving = w.listening = w.dirty = w.tracking = w.sentA = w.noticeA = 0;
    breakLink(w, w.link === LINK_DOWN ? LINK_DOWN : LINK_BROKEN);
  }

  #bDies(w: World, written: boolean): void {
    if (written) this.#b.recordStands(w, w.workB[0]!);
    w.crashes--;
    w.aliveB = 0;
    w.destination = NO_MACHINE;
    if ((w.recordsB & RUNNING) !== 0) w.guestB = B_DEAD;
    w.workB = w.toB = w.rounds = [];
    // What its guest got is lost with it.
    w.memoryB = w.missing = w.cameRound = w.notCome = w.serving = w.announced = w.framesB = w.noticeB = 0;
    breakLink(w, w.link === LINK_DOWN ? LINK_DOWN : LINK_BROKEN);
  }

  /** `resolve --ask`: the other host's process, or in its place its records, answer (`host/resolve-doubt.ts`). */
  #operatorAsks(w: World): void {
    if ((w.recordsB & OTHER_STORE) !== 0) return;
    let decision = decisionOf(w.recordsB);
    if (decision === null && w.aliveB === 1) return;
    if (decision === null) {
      w.recordsB |= NEVER;
      decision = 'NEVER';
    }
    if (decision === 'NEVER') this.#a.resolved(w, 'never');
    else if (w.aliveB === 1) this.#a.resolved(w, 'running');
  }

  #sourceOver(w: World): boolean {
    return w.source !== NO_MACHINE && this.#model.source.phase(w.source) === 'over';
  }

  #destinationOver(w: World): boolean {
    return w.destination !== NO_MACHINE && this.#model.destination.phase(w.destination) === 'over';
  }

  /** Whether the source's part is done: what `isOver` asks. */
  sourceOver(w: World): boolean {
    return this.#sourceOver(w);
  }

  /** Nothing has gone wrong so far. */
  faultless(w: World): boolean {
    const b = this.#bounds;
    return (
      w.crashes === b.crashes &&
      w.losses === b.losses &&
      w.duplicates === b.duplicates &&
      w.reorderings === b.reorderings &&
      w.partitions === b.partitions &&
      w.corruptions === b.corruptions
    );
  }
}

function isRecord(work: number | undefined, one: number, other: number): boolean {
  return work === one || work === other;
}

/** Both ends that live are to hear of it, if they had a connection. */
function breakLink(w: World, link: number): void {
  if (w.link === LINK_UP) {
    w.noticeA = w.source === NO_MACHINE ? 0 : 1;
    w.noticeB = w.destination === NO_MACHINE ? 0 : 1;
  }
  w.link = link;
  w.stray = w.strayTo = 0;
}

function takeB(w: World, at: number): number {
  const id = w.toB[at]!;
  w.toB = w.toB.filter((_, i) => i !== at);
  return id;
}

function takeA(w: World, at: number): number {
  const id = w.toA[at]!;
  w.toA = w.toA.filter((_, i) => i !== at);
  return id;
}

function takeRound(w: World): number {
  const round = w.rounds[0]!;
  w.rounds = w.rounds.slice(1);
  return round;
}
