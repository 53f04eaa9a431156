/**
 * Rules 1–7 of docs/design.md, "Protocol", as conditions on a world. Each is judged at the very action that would
 * break it, from what really happened on both hosts, not from what either machine believes.
 */
import type { Verdict } from '../../vmotion-protocol/index.js';
import {
  A_DEAD,
  A_FREED,
  A_RUNS,
  A_STANDS,
  B_ABSENT,
  B_DEAD,
  B_RUNS,
  COMMIT,
  ENDED,
  FORGOTTEN,
  FRAME_CAME,
  NEVER,
  NO_MACHINE,
  OTHER_STORE,
  pageAt,
  RUNNING,
  WORD_DISCARD,
  WORD_RESUME,
  type World,
  withoutPages,
} from './world.js';

/** A rule that does not hold. Thrown by what would break it. */
export class Violation extends Error {
  readonly rule: number;

  constructor(rule: number, text: string) {
    super(text);
    this.rule = rule;
  }
}

function require(holds: boolean, rule: number, text: string): void {
  if (!holds) throw new Violation(rule, text);
}

/** In every state. */
export function checkAlways(w: World): void {
  require(w.guestA !== A_RUNS || w.guestB !== B_RUNS, 1, 'two copies run');
  const decided = w.recordsB & (RUNNING | NEVER);
  // A decision that was rightly forgotten is on record no more, and nobody acts on what is asked after it.
  const twice = decided === (RUNNING | NEVER) && (w.recordsB & FORGOTTEN) === 0;
  require(!twice, 7, 'both RUNNING and NEVER are on record');
  if (w.finalSent === 1 && w.guestA === A_RUNS) {
    const word = (w.word & WORD_RESUME) !== 0;
    require(word || decided === NEVER, 2, 'the source runs after FINAL though NEVER is not on record');
  }
  if (w.guestB === B_RUNS) {
    const whole = w.memoryB === withoutPages(w.memoryA, w.missing);
    require(whole, 4, 'the running guest has another memory than it had at the pause');
  }
  require(w.framesA + w.framesB <= 1, 5, 'the guest got a late frame twice');
}

/** The source lets its copy run again. */
export function checkResume(w: World): void {
  require(w.guestA !== A_FREED, 3, 'the source resumes a memory that it gave up');
  if (w.finalSent === 0 || (w.word & WORD_RESUME) !== 0) return;
  require((w.recordsB & NEVER) !== 0, 2, 'the source resumes after FINAL though NEVER is not on record');
  require(w.guestB === B_ABSENT, 3, 'the source resumes alone though the guest has run at the destination');
}

export function checkFinal(w: World): void {
  require((w.recordsA & COMMIT) !== 0, 2, 'FINAL leaves though COMMIT is not on record');
  require(w.guestA === A_STANDS, 2, 'FINAL leaves though the guest runs');
}

/** The source gives its copy up. */
export function checkRelease(w: World): void {
  if ((w.word & WORD_DISCARD) !== 0) return;
  const started = w.guestB !== B_ABSENT;
  require(started, 3, 'the source gives its memory up though the guest has not started elsewhere');
  require(w.missing === 0, 7, 'the source gives its memory up though pages are missing at the destination');
}

/** ENDED is ordered: the outcome has to be known. */
export function checkEnded(w: World): void {
  const known = (w.recordsB & (RUNNING | NEVER)) !== 0 || w.finalSent === 0 || w.word !== 0;
  require(known, 3, 'ENDED is recorded while it is not decided where the guest is');
}

/** A machine is given a place for a guest. */
export function checkPrepare(w: World): void {
  const known = (w.recordsB & OTHER_STORE) === 0 && (w.recordsB & (RUNNING | NEVER)) !== 0;
  require(!known, 7, 'an offer is accepted though its name and epoch are on record');
}

/** @param verified the destination has compared memory and state with their digests */
export function checkStart(w: World, pages: number): void {
  require((w.recordsB & NEVER) === 0, 7, 'the destination starts the guest though NEVER is on record');
  require((w.recordsB & RUNNING) !==
    0, 7, 'the destination starts the guest though RUNNING is not on record');
  require(w.guestB === B_ABSENT, 1, 'the destination starts the guest twice');
  for (let pfn = 0; pfn < pages; pfn++) {
    const here = pageAt(w.memoryB, pfn);
    if ((w.missing >> pfn) & 1) require(here === 0, 4, `page ${pfn} is missing, yet has content`);
    else require(here === pageAt(w.memoryA, pfn), 4, `the guest starts with page ${pfn} other than it was`);
  }
}

export function checkNack(w: World): void {
  require((w.recordsB & NEVER) !== 0, 7, 'NACK leaves though NEVER is not on record');
}

export function checkStarted(w: World): void {
  require(w.guestB === B_RUNS, 7, 'STARTED leaves though the guest does not run');
  require(w.announced === 1, 5, 'STARTED leaves before the announcement');
}

export function checkComplete(w: World): void {
  require(w.guestB === B_RUNS && w.missing === 0, 7, 'COMPLETE leaves though pages are missing');
}

export function checkAnswer(w: World, verdict: Verdict): void {
  if ((w.recordsB & OTHER_STORE) !== 0) {
    require(verdict === 'unknown', 7, `${verdict} is answered from another store`);
  }
  if (verdict === 'never') require((w.recordsB & NEVER) !== 0, 7, 'never is answered, and is not on record');
  if (verdict === 'running')
    require((w.recordsB & RUNNING) !== 0, 7, 'running is answered, and is not on record');
}

export function checkForget(w: World): void {
  const last = (w.recordsA & ENDED) !== 0 || w.finalSent === 0;
  require(last, 7, 'records are forgotten though the source may still ask');
}

/** The destination's hashes have come: each page as the source has it. */
export function checkProof(w: World, hashes: Uint8Array): void {
  for (let pfn = 0; pfn * 8 < hashes.length; pfn++)
    require(hashes[pfn * 8] === pageAt(w.memoryA, pfn), 4, `page ${pfn} is not what it was`);
}

/**
 * Whether the migration has come to an end that it may come to: the guest runs in one place, whole, or it is lost with a
 * host that had it, or by an operator's word.
 */
export function isOver(w: World, sourceOver: boolean): boolean {
  const aSettled = sourceOver || w.source === NO_MACHINE;
  if (w.guestA === A_RUNS) return aSettled && w.workA.length === 0;
  if (w.guestB === B_RUNS) return w.missing === 0 ? aSettled : w.guestA === A_DEAD;
  return w.guestA === A_DEAD || w.guestB === B_DEAD || (w.word & WORD_DISCARD) !== 0;
}

/** Rule 5 on a finished path: the frame that came while the guest stood was delivered, if nothing was lost. */
export function checkEnd(w: World, faultless: boolean): void {
  if (!faultless || w.frame !== FRAME_CAME) return;
  const quiet = w.toA.length + w.toB.length + w.workA.length + w.workB.length === 0;
  if (quiet) require(w.framesA + w.framesB === 1, 5, 'a late frame was lost by the move itself');
}
