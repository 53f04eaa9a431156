/**
 * What each move makes of a world: what is on its way arrives, or is lost, or comes twice, or overtakes; work is
 * done; a wait ends; hosts die and come back; the link breaks; an operator acts.
 *
 *   world ─► possible (possible-moves.ts) ─► a move ─► after: the next world, or the rule that it breaks
 */
import type { Bounds } from './bounds.js';
import { DestinationDriver } from './destination-driver.js';
import type { Journal } from './journal.js';
import { decisionOf, type Model } from './model.js';
import { argumentOf, type MoveName, nameOf } from './move-names.js';
import { PossibleMoves } from './possible-moves.js';
import { SourceDriver } from './source-driver.js';
import {
  A_DEAD,
  A_FREED,
  B_DEAD,
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
  RUNNING,
  WORD_DISCARD,
  WORD_RESUME,
  World,
  withPage,
} from './world.js';

const MAX_CONTENT = 6;

export class Moves {
  readonly #model: Model;
  readonly #bounds: Bounds;
  readonly #possible: PossibleMoves;
  readonly #a: SourceDriver;
  readonly #b: DestinationDriver;

  constructor(model: Model, bounds: Bounds, journal: Journal) {
    this.#model = model;
    this.#bounds = bounds;
    this.#possible = new PossibleMoves(model, bounds);
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
    this.#possible.all(w, out);
  }

  /** The world after a move. @throws Violation when the move breaks a rule */
  after(before: World, move: number): World {
    const w = before.clone();
    this.#make(w, nameOf(move), argumentOf(move));
    if (w.source !== NO_MACHINE && this.sourceOver(w) && w.link === LINK_UP) w.toA = [];
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

  /** Whether the source's part is done: what `isOver` asks. */
  sourceOver(w: World): boolean {
    return this.#possible.sourceOver(w);
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
