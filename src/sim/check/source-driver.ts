/**
 * What the source's host does for its machine (`host/source-role.ts`), on a world. What takes time there is work
 * under way here, told to the machine in the order it was begun; it may last as long as it likes.
 */
import type { SourceEvent, Verdict } from '../../vmotion-protocol/index.js';
import type { Journal } from './journal.js';
import { MIGRATION_ID, type Model, type SourceEffect } from './model.js';
import { checkEnded, checkFinal, checkProof, checkRelease, checkResume } from './rules.js';
import {
  A_FREED,
  A_RUNS,
  A_STANDS,
  COMMIT,
  ENDED,
  FRAME_CAME,
  LINK_UP,
  NO_MACHINE,
  overlay,
  pagesIn,
  type World,
  withoutPages,
} from './world.js';

/** Work under way; sending carries its round and pages. */
const PAUSE = 1;
export const RECORD_COMMIT = 4;
export const RECORD_ENDED = 5;
const SEND = 64;
const ROUND_SHIFT = 3;
const SET_MASK = 7;
const CONTENT_BITS = 9;
export const CONTENT_MASK = 511;

/** Device state that moves; what is in it decides nothing. */
const STATE = Uint8Array.of(1);
const STATE_HASH = Object.freeze({ lo: 1, hi: 0 });
/** A unicast frame: the destination's address has no group bit. */
export const FRAME = Uint8Array.of(2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x08, 0x00);

export class SourceDriver {
  readonly #model: Model;
  readonly #journal: Journal;
  readonly #due: SourceEffect[] = [];

  constructor(model: Model, journal: Journal) {
    this.#model = model;
    this.#journal = journal;
  }

  start(w: World): void {
    this.#give(w, 'start', () => ({ type: 'start' }));
  }

  received(w: World, id: number): void {
    const message = this.#model.book.get(id);
    if (message.type === 'hashes' && w.guestA !== A_RUNS) checkProof(w, message.hashes);
    this.#give(w, `got ${id}`, () => ({ type: 'received', message }));
  }

  connectionLost(w: World): void {
    this.#give(w, 'lost', () => ({ type: 'connection-lost', text: 'the link broke' }));
  }

  reconnected(w: World): void {
    this.#give(w, 'reconnected', () => ({ type: 'reconnected' }));
  }

  resolved(w: World, verdict: Extract<Verdict, 'running' | 'never'>): void {
    this.#give(w, verdict, () => ({ type: 'resolved', verdict, text: 'resolve' }));
  }

  frame(w: World): void {
    w.frame = FRAME_CAME;
    this.#give(w, 'frame', () => ({ type: 'late-frame', bytes: FRAME }));
  }

  woke(w: World): void {
    this.#follow(w, this.#model.source.wake(w.source));
  }

  /** The oldest work is done. */
  work(w: World): void {
    const work = w.workA[0]!;
    w.workA = w.workA.slice(1);
    if (work >= SEND) return this.#sent(w, (work - SEND) >> ROUND_SHIFT, work & SET_MASK);
    switch (work) {
      case PAUSE:
        w.guestA = A_STANDS;
        return this.#give(w, 'paused', () => ({ type: 'guest-paused' }));
      default: {
        const record = work === RECORD_COMMIT ? 'COMMIT' : 'ENDED';
        this.recordStands(w, work);
        return this.#give(w, record, () => ({ type: 'recorded', record }));
      }
    }
  }

  /** The write has reached the store; the machine may never hear of it. */
  recordStands(w: World, work: number): void {
    w.recordsA |= work === RECORD_COMMIT ? COMMIT : ENDED;
  }

  /** The links that it was sent over are closed. */
  stopSending(w: World): void {
    w.workA = w.workA.filter((work) => work < SEND);
  }

  /** Done at once, as the driver does: what is written later is in the next one. */
  #harvest(w: World): void {
    const { dirty } = w;
    w.dirty = 0;
    w.tracking = 1;
    this.#give(w, `harvested ${dirty}`, () => {
      const set = this.#model.setOf(dirty);
      return { type: 'harvested', dirty: set, dirtyPages: set.count() };
    });
  }

  #sent(w: World, round: number, pages: number): void {
    const gone = withoutPages(w.memoryA, ~pages & ((1 << this.#model.pages) - 1));
    w.sentA = overlay(w.sentA, gone);
    if (w.link === LINK_UP) w.rounds = [...w.rounds, (round << CONTENT_BITS) | gone];
    const count = pagesIn(gone);
    const { sentA } = w;
    this.#give(w, `sent ${round} ${count} ${sentA}`, () => ({
      type: 'round-sent',
      round,
      pages: count,
      zeroPages: 0,
      bytes: count * 4096,
      setHash: this.#model.setHash(sentA),
    }));
  }

  #give(w: World, key: string, event: () => SourceEvent): void {
    if (w.source === NO_MACHINE) return;
    this.#follow(w, this.#model.source.step(w.source, key, event));
  }

  #follow(w: World, step: { readonly to: number; readonly effects: readonly SourceEffect[] }): void {
    w.source = step.to;
    // Carrying out one may add others: they queue behind it.
    const first = this.#due.length === 0;
    this.#due.push(...step.effects);
    if (!first) return;
    try {
      for (let i = 0; i < this.#due.length; i++) this.#do(w, this.#due[i]!);
    } finally {
      this.#due.length = 0;
    }
  }

  #do(w: World, e: SourceEffect): void {
    this.#journal.did('a', e);
    switch (e.do) {
      case 'send':
        return this.#send(w, e.message);
      case 'harvest':
        return this.#harvest(w);
      case 'send-pages':
        w.sentA = withoutPages(w.sentA, e.missing);
        return this.#begin(w, SEND + ((e.round << ROUND_SHIFT) | e.pages));
      case 'serve-pages':
        w.serving = w.link === LINK_UP ? e.pages : 0;
        return;
      case 'pause-guest':
        return this.#begin(w, PAUSE);
      case 'save-state':
        return this.#give(w, 'saved', () => ({ type: 'state-saved', state: STATE, stateHash: STATE_HASH }));
      case 'resume-guest':
        checkResume(w);
        w.workA = w.workA.filter((work) => work !== PAUSE);
        w.guestA = A_RUNS;
        w.serving = w.listening = 0;
        return;
      case 'record':
        if (e.record === 'ENDED') checkEnded(w);
        return this.#begin(w, e.record === 'COMMIT' ? RECORD_COMMIT : RECORD_ENDED);
      case 'forward-late-frames':
        w.listening = 1;
        return;
      case 'deliver-late-frames':
        w.framesA += e.frames;
        return;
      case 'release-guest':
        checkRelease(w);
        w.guestA = A_FREED;
        w.serving = 0;
        return;
      case 'finished':
        if (e.outcome === 'in-doubt') return;
        w.listening = 0;
        return;
    }
  }

  #begin(w: World, work: number): void {
    w.workA = [...w.workA, work];
  }

  #send(w: World, id: number): void {
    const message = this.#model.book.get(id);
    if (message.type === 'final' && message.migrationId === MIGRATION_ID) {
      checkFinal(w);
      w.finalSent = 1;
    }
    if (w.link === LINK_UP) w.toB = [...w.toB, id];
  }
}
