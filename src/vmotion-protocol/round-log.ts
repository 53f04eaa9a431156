/** The figures of each pre-copy round, from the instants the source machine sees. */
import { NS_PER_S } from '../core/index.js';
import type { ConvergenceHistory, RoundStats } from './convergence-contract.js';
import type { MigrationMode } from './messages.js';

export class RoundLog {
  readonly #pages: number;
  readonly #rounds: RoundStats[] = [];
  #rttMinNs = 0;
  #rttMedianNs = 0;
  #round = 0;
  #startNs = 0;
  #endNs = 0;
  #harvestNs = 0;
  #sent = { pages: 0, zeroPages: 0, bytes: 0 };
  /** What both sides have agreed on. */
  mode: MigrationMode = 'pre-copy';
  /** Share of its time that the guest is kept from running. */
  slowdown = 0;

  /** @param pages pages of the guest */
  constructor(pages: number) {
    this.#pages = pages;
  }

  get history(): ConvergenceHistory {
    return {
      rounds: this.#rounds,
      rttNs: this.#rttMedianNs,
      pages: this.#pages,
      mode: this.mode,
      slowdown: this.slowdown,
    };
  }

  get rttMinNs(): number {
    return this.#rttMinNs;
  }

  get rttMedianNs(): number {
    return this.#rttMedianNs;
  }

  rttsMeasured(rttsNs: readonly number[]): void {
    const sorted = [...rttsNs].sort((a, b) => a - b);
    this.#rttMinNs = sorted[0] ?? 0;
    this.#rttMedianNs = sorted[sorted.length >> 1] ?? 0;
  }

  /** The dirty log was armed: the first interval begins. */
  armed(nowNs: number): void {
    this.#harvestNs = nowNs;
  }

  began(nowNs: number, round: number): void {
    this.#round = round;
    this.#startNs = nowNs;
  }

  sent(pages: number, zeroPages: number, bytes: number): void {
    this.#sent = { pages, zeroPages, bytes };
  }

  done(nowNs: number): void {
    this.#endNs = nowNs;
  }

  /** The harvest after the round: its figures are complete. */
  harvested(nowNs: number, dirtyPages: number): RoundStats {
    // A round shorter than the RTT's own jitter would leave next to nothing: an eighth of it is the floor.
    const durationNs = Math.max(1, this.#endNs - this.#startNs);
    const movingNs = Math.max(durationNs - this.#rttMinNs, durationNs / 8);
    const intervalNs = Math.max(1, nowNs - this.#harvestNs);
    this.#harvestNs = nowNs;
    const stats: RoundStats = {
      round: this.#round,
      startNs: this.#startNs,
      endNs: this.#endNs,
      dirtyPages,
      pagesSent: this.#sent.pages,
      zeroPages: this.#sent.zeroPages,
      bytes: this.#sent.bytes,
      throughputBps: (this.#sent.bytes * 8 * NS_PER_S) / movingNs,
      dirtyRatePagesPerS: (dirtyPages * NS_PER_S) / intervalNs,
    };
    this.#rounds.push(stats);
    return stats;
  }
}
