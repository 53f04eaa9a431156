/**
 * What the destination's host does for its machine (`host/destination-role.ts`), on a world. A host without a machine
 * builds one over its records for an offer, and for a source that asks or comes back.
 */
import type { DestinationEvent } from '../../vmotion-protocol/index.js';
import type { Journal } from './journal.js';
import { type DestinationEffect, MIGRATION_ID, type Model } from './model.js';
import {
  checkAnswer,
  checkComplete,
  checkForget,
  checkNack,
  checkPrepare,
  checkStart,
  checkStarted,
} from './rules.js';
import {
  B_ABSENT,
  B_RUNS,
  FORGOTTEN,
  LINK_UP,
  NEVER,
  NO_MACHINE,
  overlay,
  pageAt,
  pagesIn,
  RUNNING,
  type World,
  withoutPages,
  withPage,
} from './world.js';

const PREPARE = 1;
const ARM = 2;
const VERIFIED = 3;
const DIFFERS = 4;
const LOAD_STATE = 5;
export const RECORD_RUNNING = 6;
export const RECORD_NEVER = 7;
const START = 8;
const CONTENT_BITS = 9;
const CONTENT_MASK = 511;

export class DestinationDriver {
  readonly #model: Model;
  readonly #journal: Journal;

  constructor(model: Model, journal: Journal) {
    this.#model = model;
    this.#journal = journal;
  }

  received(w: World, id: number): void {
    const message = this.#model.book.get(id);
    const begins = message.type === 'offer' || message.type === 'ask' || message.type === 'resume';
    if (begins && this.#isFree(w)) w.destination = this.#model.newDestination(w);
    this.#give(w, `got ${id}`, () => ({ type: 'received', message }));
  }

  /** An endpoint has one migration at a time. */
  #isFree(w: World): boolean {
    return w.destination === NO_MACHINE || this.#model.destination.phase(w.destination) === 'over';
  }

  connectionLost(w: World): void {
    this.#give(w, 'lost', () => ({ type: 'connection-lost', text: 'the link broke' }));
  }

  reconnected(w: World): void {
    this.#give(w, 'reconnected', () => ({ type: 'reconnected' }));
  }

  woke(w: World): void {
    this.#follow(w, this.#model.destination.wake(w.destination));
  }

  /** A round lies in memory, all of it. */
  applied(w: World, round: number): void {
    const contents = round & CONTENT_MASK;
    const number = round >> CONTENT_BITS;
    w.memoryB = overlay(w.memoryB, contents);
    const pages = pagesIn(contents);
    w.cameRound = number;
    w.notCome = 0;
    this.#give(w, `applied ${number} ${pages}`, () => ({ type: 'round-applied', round: number, pages }));
  }

  /** Of a round that was on its way when the link broke, one page had come. */
  appliedInPart(w: World, round: number): void {
    const contents = round & CONTENT_MASK;
    w.cameRound = round >> CONTENT_BITS;
    w.notCome = 0;
    let came = false;
    for (let pfn = 0; pfn < this.#model.pages; pfn++) {
      const content = pageAt(contents, pfn);
      if (content === 0) continue;
      if (came) w.notCome |= 1 << pfn;
      else w.memoryB = withPage(w.memoryB, pfn, content);
      came = true;
    }
  }

  /** A page that was missing has come, and is right: a wrong one is refused and asked for again. */
  placed(w: World, pfn: number): void {
    if (((w.missing >> pfn) & 1) === 0) return;
    w.memoryB = withPage(w.memoryB, pfn, pageAt(w.memoryA, pfn));
    w.missing &= ~(1 << pfn);
    if (w.missing === 0) this.#give(w, 'all', () => ({ type: 'all-present' }));
  }

  work(w: World): void {
    const work = w.workB[0]!;
    w.workB = w.workB.slice(1);
    switch (work) {
      case PREPARE:
        if (w.guestB === B_ABSENT) {
          w.memoryB = w.missing = w.cameRound = w.notCome = 0;
          return this.#give(w, 'prepared', () => ({ type: 'prepared' }));
        }
        return this.#give(w, 'busy', () => ({ type: 'prepare-failed', code: 'VMOTION_BUSY', text: 'busy' }));
      case ARM:
        return this.#give(w, 'armed', () => ({ type: 'armed' }));
      case VERIFIED:
      case DIFFERS: {
        const ok = work === VERIFIED;
        return this.#give(w, `verified ${ok}`, () => ({ type: 'verified', ok, text: ok ? '' : 'differs' }));
      }
      case LOAD_STATE:
        return this.#give(w, 'loaded', () => ({ type: 'state-loaded' }));
      case START:
        return this.#give(w, 'started', () => ({ type: 'guest-started', atNs: 0 }));
      default: {
        const record = work === RECORD_RUNNING ? 'RUNNING' : 'NEVER';
        this.recordStands(w, work);
        return this.#give(w, record, () => ({ type: 'recorded', record }));
      }
    }
  }

  /** The write has reached the store; the machine may never hear of it. */
  recordStands(w: World, work: number): void {
    w.recordsB |= work === RECORD_RUNNING ? RUNNING : NEVER;
  }

  #give(w: World, key: string, event: () => DestinationEvent): void {
    if (w.destination === NO_MACHINE) return;
    this.#follow(w, this.#model.destination.step(w.destination, key, event));
  }

  #follow(w: World, step: { readonly to: number; readonly effects: readonly DestinationEffect[] }): void {
    w.destination = step.to;
    for (const effect of step.effects) this.#do(w, effect);
  }

  #do(w: World, e: DestinationEffect): void {
    this.#journal.did('b', e);
    switch (e.do) {
      case 'send':
        return this.#say(w, e.message);
      case 'prepare':
        checkPrepare(w);
        return this.#begin(w, PREPARE);
      case 'arm':
        w.memoryB = withoutPages(w.memoryB, e.left);
        return this.#begin(w, ARM);
      case 'verify': {
        w.memoryB = withoutPages(w.memoryB, e.missing);
        w.missing = e.missing;
        const { lo, hi } = this.#model.setHash(w.memoryB);
        return this.#begin(w, lo === e.setHash.lo && hi === e.setHash.hi ? VERIFIED : DIFFERS);
      }
      case 'load-state':
        return this.#begin(w, LOAD_STATE);
      case 'record':
        return this.#begin(w, e.record === 'RUNNING' ? RECORD_RUNNING : RECORD_NEVER);
      case 'start-guest':
        checkStart(w, this.#model.pages);
        w.guestB = B_RUNS;
        return this.#begin(w, START);
      case 'announce':
        w.announced = 1;
        return;
      case 'inject-frame':
        w.framesB++;
        return;
      case 'send-hashes':
        return this.#say(w, this.#model.book.enter(this.#hashes(w)));
      case 'tell-missing': {
        // Before the guest starts: what did not come of the last round of which anything came.
        const missing = w.guestB === B_RUNS ? w.missing : w.notCome;
        const round = w.cameRound;
        return this.#give(w, `missing ${round} ${missing}`, () => ({
          type: 'missing-told',
          round,
          missing: this.#model.setOf(missing),
        }));
      }
      case 'take-up':
        w.rounds = [];
        return;
      case 'discard':
        w.memoryB = w.missing = 0;
        w.rounds = [];
        return;
      case 'forget-records':
        checkForget(w);
        w.recordsB |= FORGOTTEN;
        return;
      case 'finished':
        return;
    }
  }

  /** The content stands in the first byte of each page's hash. */
  #hashes(w: World) {
    const hashes = new Uint8Array(this.#model.pages * 8);
    for (let pfn = 0; pfn < this.#model.pages; pfn++) hashes[pfn * 8] = pageAt(w.memoryB, pfn);
    return { type: 'hashes', firstPfn: 0, hashes } as const;
  }

  #begin(w: World, work: number): void {
    w.workB = [...w.workB, work];
  }

  #say(w: World, id: number): void {
    const message = this.#model.book.get(id);
    if (message.type === 'nack' && message.migrationId === MIGRATION_ID) checkNack(w);
    else if (message.type === 'started') checkStarted(w);
    else if (message.type === 'complete') checkComplete(w);
    else if (message.type === 'answer') checkAnswer(w, message.verdict);
    if (w.link === LINK_UP) w.toA = [...w.toA, id];
  }
}
