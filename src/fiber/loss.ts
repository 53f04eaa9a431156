/**
 * Which wire packets a lane loses by chance. A model is asked once per frame, in the order of
 * transmission, and sees every packet that is sent exactly once; nothing else moves its state, so a run
 * is reproducible, and how packets are grouped into super-frames changes nothing.
 *
 * Here: independent and periodic loss. Chains with memory stand in markov-loss.ts, what a script
 * drops in drop-script.ts.
 */
import type { Rng } from '../core/index.js';

export interface LossModel {
  /**
   * Takes the next `packets` packets and appends to `out` the indices (0..packets-1, ascending) of
   * those that are lost. Allocates nothing while nothing is hit.
   */
  hits(packets: number, out: number[]): void;
}

/**
 * Independent loss with one probability per packet. It draws the distance to the next loss instead of a
 * coin per packet, so a frame that is not hit costs one comparison whatever its number of packets.
 */
export class BernoulliLoss implements LossModel {
  readonly #lossProb: number;
  readonly #rng: Rng;
  /** Packets that still pass before the next one is lost. */
  #gap: number;

  /** @param lossProb 0..1 per wire packet; 0 draws nothing from `rng`, ever */
  constructor(lossProb: number, rng: Rng) {
    this.#lossProb = lossProb;
    this.#rng = rng;
    this.#gap = rng.geometric(lossProb);
  }

  hits(packets: number, out: number[]): void {
    let i = this.#gap;
    while (i < packets) {
      out.push(i);
      i += 1 + this.#rng.geometric(this.#lossProb);
    }
    this.#gap = i - packets;
  }
}

/** Loses packets number `every`, 2 · `every`, 3 · `every`, … of those that are sent. */
export class PeriodicLoss implements LossModel {
  readonly #every: number;
  #gap: number;

  constructor(every: number) {
    this.#every = every;
    this.#gap = every - 1;
  }

  hits(packets: number, out: number[]): void {
    let i = this.#gap;
    for (; i < packets; i += this.#every) out.push(i);
    this.#gap = i - packets;
  }
}
