/**
 * Loss with memory: a Markov chain that moves by one step per wire packet, each state with a loss
 * probability of its own.
 *
 *   Gilbert–Elliott                              4-state
 *            p                                        p13          p32
 *    good ───────► bad                       1 ok ◄────────► 3 lost ◄────► 2 ok
 *    loss ◄─────── loss                       │ ▲     p31          p23
 *    1−k     r     1−h                    p14 ▼ │ always
 *                                            4 lost (a single packet)
 *
 * Source: Salsano, Ludovici, Ordine, Giannuzzi, "Definition of a general and intuitive loss model for
 * packet networks and its implementation in the Netem module in the Linux kernel", 2012, sections 2
 * and 3; the parameters are those of `tc-netem(8)`, `loss gemodel` and `loss state`. A packet meets the
 * state first, then the chain moves; it begins in the first state.
 *
 * No coin is tossed per packet: the chain draws how many packets it stays (1 + geometric) and, within
 * the stay, how many pass before the next loss. A frame that is not hit costs two comparisons.
 */
import type { Rng } from '../core/index.js';
import type { LossModel } from './loss.js';

/** A state of the chain. */
export interface MarkovState {
  /** Probability that a packet which meets this state is lost. */
  readonly lossProb: number;
  /** Where the chain may go from here, each with its probability; what remains of 1 is staying. */
  readonly exits: readonly { readonly to: number; readonly prob: number }[];
}

export class MarkovLoss implements LossModel {
  readonly #states: readonly MarkovState[];
  readonly #rng: Rng;
  #state: MarkovState;
  /** Packets that the chain stays here still. */
  #stay = 0;
  /** Of these, how many pass before the next one is lost. */
  #gap = 0;

  /** @param states the chain begins in the first */
  constructor(states: readonly MarkovState[], rng: Rng) {
    this.#states = states;
    this.#rng = rng;
    this.#state = states[0]!;
    this.#enter(0);
  }

  hits(packets: number, out: number[]): void {
    let at = 0;
    for (;;) {
      const here = Math.min(this.#stay, packets - at);
      while (this.#gap < here) {
        out.push(at + this.#gap);
        this.#gap += 1 + this.#rng.geometric(this.#state.lossProb);
      }
      this.#gap -= here;
      this.#stay -= here;
      at += here;
      if (this.#stay === 0) this.#enter(this.#next());
      if (at === packets) return;
    }
  }

  #enter(index: number): void {
    this.#state = this.#states[index]!;
    this.#stay = 1 + this.#rng.geometric(exitProb(this.#state));
    this.#gap = this.#rng.geometric(this.#state.lossProb);
  }

  /** The chain leaves: which way. */
  #next(): number {
    const { exits } = this.#state;
    if (exits.length === 1) return exits[0]!.to;
    let draw = this.#rng.float() * exitProb(this.#state);
    for (const { to, prob } of exits) {
      draw -= prob;
      if (draw < 0) return to;
    }
    return exits.findLast((exit) => exit.prob > 0)!.to; // the last draw, rounded
  }
}

function exitProb({ exits }: MarkovState): number {
  let sum = 0;
  for (const { prob } of exits) sum += prob;
  return Math.min(1, sum);
}

/** Good and bad. @param p good → bad @param r bad → good @param h what passes while bad @param k what passes while good */
export function gilbertElliottStates(p: number, r: number, h: number, k: number): readonly MarkovState[] {
  return [
    { lossProb: 1 - k, exits: [{ to: 1, prob: p }] },
    { lossProb: 1 - h, exits: [{ to: 0, prob: r }] },
  ];
}

/** States 1, 3, 2 and 4 of the paper, in this order. */
export function fourStates(
  p13: number,
  p31: number,
  p32: number,
  p23: number,
  p14: number,
): readonly MarkovState[] {
  return [
    {
      lossProb: 0,
      exits: [
        { to: 1, prob: p13 },
        { to: 3, prob: p14 },
      ],
    },
    {
      lossProb: 1,
      exits: [
        { to: 0, prob: p31 },
        { to: 2, prob: p32 },
      ],
    },
    { lossProb: 0, exits: [{ to: 1, prob: p23 }] },
    { lossProb: 1, exits: [{ to: 0, prob: 1 }] },
  ];
}

/** The share of packets that a Gilbert–Elliott chain loses in the long run. */
export function gilbertElliottMean(p: number, r: number, h: number, k: number): number {
  if (p === 0) return 1 - k; // it never leaves the good state
  return (p * (1 - h) + r * (1 - k)) / (p + r);
}

/** The share of packets that the 4-state chain loses in the long run. */
export function fourStateMean(p13: number, p31: number, p32: number, p23: number, p14: number): number {
  if (p13 === 0) return p14 / (1 + p14); // only states 1 and 4
  // Balance between 1 and 3, 3 and 2, 1 and 4, freed of denominators.
  const back = p32 === 0 ? 1 : p23; // state 2 is never entered without p32
  const one = p31 * back;
  const three = p13 * back;
  const two = p32 === 0 ? 0 : p13 * p32;
  const four = one * p14;
  return (three + four) / (one + two + three + four);
}
