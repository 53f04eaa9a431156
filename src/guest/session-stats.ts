/**
 * What a client saw of a session: counts, the longest silence, round trips before and after the move.
 * The counts of requests close at every instant: sent = answered + lost (not answered so far).
 */

import { RttCourse, type RttCourseSnapshot } from './rtt-course.js';

/** A snapshot. Arrays are copies. */
export interface SessionSnapshot {
  readonly sent: number;
  /** Requests of this phase answered, each counted once, with right or wrong content. */
  readonly answered: number;
  /** Requests not answered; those on their way count too, so wait a round trip before you read it. */
  readonly lost: number;
  /** Answers that came again, word for word. */
  readonly duplicated: number;
  /** Answers to requests that were sent before the last `reset`. */
  readonly late: number;
  /** Answers whose content cannot be right. */
  readonly wrong: number;
  /** Bytes of a stream that are not those which had to come there; 0 for sessions of datagrams. */
  readonly bytesWrong: number;
  /** Times the guest had forgotten the session altogether, or its connection broke. */
  readonly resets: number;
  /** What was wrong with the first wrong answer. */
  readonly firstWrong: string | null;
  /** Longest time between consecutive answers. */
  readonly longestGapNs: number;
  /** The instant of the answer before that gap. */
  readonly longestGapStartNs: number;
  readonly rttBeforeNs: Float64Array;
  readonly rttAfterNs: Float64Array;
  /** Over time, by the instant at which the request was sent; null without an answer. */
  readonly rttCourse: RttCourseSnapshot | null;
}

export type Phase = 'before' | 'after';

/** A list of numbers that grows without boxing them. */
class Samples {
  #values = new Float64Array(1024);
  #count = 0;

  push(value: number): void {
    if (this.#count === this.#values.length) {
      const next = new Float64Array(this.#count * 2);
      next.set(this.#values);
      this.#values = next;
    }
    this.#values[this.#count++] = value;
  }

  clear(): void {
    this.#count = 0;
  }

  copy(): Float64Array {
    return this.#values.slice(0, this.#count);
  }
}

/** The counting that every kind of session shares. */
export abstract class SessionBook {
  #sent = 0;
  #answered = 0;
  #duplicated = 0;
  #late = 0;
  #wrong = 0;
  #bytesWrong = 0;
  #resets = 0;
  #firstWrong: string | null = null;
  #longestGapNs = 0;
  #longestGapStartNs = 0;
  #lastAnswerNs = Number.NaN;
  #phase: Phase = 'before';
  readonly #course = new RttCourse();
  readonly #rttNs = { before: new Samples(), after: new Samples() };

  /** From now on round trips count as those before, or after, the move. */
  mark(phase: Phase): void {
    this.#phase = phase;
  }

  stats(): SessionSnapshot {
    return {
      sent: this.#sent,
      answered: this.#answered,
      lost: this.#sent - this.#answered,
      duplicated: this.#duplicated,
      late: this.#late,
      wrong: this.#wrong,
      bytesWrong: this.#bytesWrong,
      resets: this.#resets,
      firstWrong: this.#firstWrong,
      longestGapNs: this.#longestGapNs,
      longestGapStartNs: this.#longestGapStartNs,
      rttBeforeNs: this.#rttNs.before.copy(),
      rttAfterNs: this.#rttNs.after.copy(),
      rttCourse: this.#course.snapshot(),
    };
  }

  /** Begins to count anew, for the next move. What the session knows of the guest stays. */
  reset(): void {
    this.#sent = 0;
    this.#answered = 0;
    this.#duplicated = 0;
    this.#late = 0;
    this.#wrong = 0;
    this.#bytesWrong = 0;
    this.#resets = 0;
    this.#firstWrong = null;
    this.#longestGapNs = 0;
    this.#longestGapStartNs = 0;
    this.#phase = 'before';
    this.#lastAnswerNs = Number.NaN; // silence between two accounts is nobody's gap
    this.#rttNs.before.clear();
    this.#rttNs.after.clear();
    this.#course.clear();
  }

  #heard(nowNs: number): void {
    const gapNs = nowNs - this.#lastAnswerNs;
    if (gapNs > this.#longestGapNs) {
      this.#longestGapNs = gapNs;
      this.#longestGapStartNs = this.#lastAnswerNs;
    }
    this.#lastAnswerNs = nowNs;
  }

  protected countSent(): void {
    this.#sent++;
  }

  /** @param late the request belongs to the time before `reset` */
  protected countAnswer(nowNs: number, rttNs: number, late: boolean): void {
    if (late) this.#late++;
    else {
      this.#answered++;
      this.#rttNs[this.#phase].push(rttNs);
      this.#course.add(nowNs - rttNs, rttNs);
    }
    this.#heard(nowNs);
  }

  /** Something has come that nobody asks for one by one: it counts as sent and answered, and has no round trip. */
  protected countArrival(nowNs: number): void {
    this.#sent++;
    this.#answered++;
    this.#heard(nowNs);
  }

  protected countBytesWrong(bytes: number): void {
    this.#bytesWrong += bytes;
  }

  protected countDuplicate(): void {
    this.#duplicated++;
  }

  protected countWrong(text: string): void {
    this.#wrong++;
    this.#firstWrong ??= text;
  }

  /** Says of something wrong what it was, if it is the first. */
  protected noteWrong(text: string): void {
    this.#firstWrong ??= text;
  }

  protected countReset(): void {
    this.#resets++;
  }
}
