/**
 * How late frames leave the fiber: the instant just before the write that carries a frame, minus when it was
 * due. Frames released together leave in one write, so all of them are stamped when it begins; how long the
 * write itself then takes (it includes what the receiving kernel does with the frames) stands beside it.
 */
import { build, type Histogram } from 'hdr-histogram-js';
import type { Lateness, WriteDuration } from './messages.js';

/** Frames between two writes at most; one more asks for a write first. */
const MOST_PENDING = 128;
const HIGHEST_NS = 60e9;

export class LatenessRecorder {
  readonly #late = histogram();
  readonly #writes = histogram();
  readonly #pendingDueNs = new Float64Array(MOST_PENDING);
  #pending = 0;

  /** Whether a write is called for before more is released. */
  get isFull(): boolean {
    return this.#pending === MOST_PENDING;
  }

  /** Whether anything released waits for its write. */
  get isPending(): boolean {
    return this.#pending > 0;
  }

  /** Notes a frame that the next write carries. */
  released(dueNs: number): void {
    this.#pendingDueNs[this.#pending++] = dueNs;
  }

  writeBegins(nowNs: number): void {
    for (let i = 0; i < this.#pending; i++) {
      this.#late.recordValue(Math.max(0, nowNs - this.#pendingDueNs[i]!));
    }
    this.#pending = 0;
  }

  writeEnded(durationNs: number): void {
    this.#writes.recordValue(durationNs);
  }

  /** Begins anew. */
  forget(): void {
    this.#late.reset();
    this.#writes.reset();
  }

  /** In ns; all zero when nothing was released. */
  lateness(): Lateness {
    const h = this.#late;
    return {
      p50Ns: percentile(h, 50),
      p99Ns: percentile(h, 99),
      p999Ns: percentile(h, 99.9),
      maxNs: h.maxValue,
      count: h.totalCount,
    };
  }

  /** The sum of all lateness, ns. */
  sumNs(): number {
    return this.#late.totalCount === 0 ? 0 : this.#late.mean * this.#late.totalCount;
  }

  writeDuration(): WriteDuration {
    const h = this.#writes;
    return { p50Ns: percentile(h, 50), p99Ns: percentile(h, 99), count: h.totalCount };
  }
}

/** The histogram answers with the upper end of a bucket, which may lie above the largest value seen. */
function percentile(h: Histogram, p: number): number {
  return Math.min(h.getValueAtPercentile(p), h.maxValue);
}

function histogram(): Histogram {
  return build({
    lowestDiscernibleValue: 1,
    highestTrackableValue: HIGHEST_NS,
    numberOfSignificantValueDigits: 3,
  });
}
