/** The loss models by name: their parameters, the check of these, what they lose on average. */
import type { Rng } from '../core/index.js';
import { BernoulliLoss, type LossModel, PeriodicLoss } from './loss.js';
import {
  fourStateMean,
  fourStates,
  gilbertElliottMean,
  gilbertElliottStates,
  MarkovLoss,
} from './markov-loss.js';
import { checkProb, refuse, within } from './refuse.js';

/** Two states; the probabilities are those of Salsano et al. and of `tc-netem(8)`, except that h and k are not 1 − h, 1 − k. */
export interface GilbertElliottSettings {
  readonly model: 'gilbert-elliott';
  /** Good → bad, per packet. */
  readonly p: number;
  /** Bad → good, per packet; 1 / r packets is the mean stay in the bad state. */
  readonly r: number;
  /** Probability that a packet passes in the bad state; 0 for the simple Gilbert model. */
  readonly h: number;
  /** Probability that a packet passes in the good state, as a rule 1. */
  readonly k: number;
}

/** Four states: passes, passes within a burst (2), lost in a burst (3), lost alone (4). */
export interface FourStateSettings {
  readonly model: '4-state';
  readonly p13: number;
  readonly p31: number;
  readonly p32: number;
  readonly p23: number;
  readonly p14: number;
}

/** Every n-th packet, without chance. */
export interface PeriodicSettings {
  readonly model: 'periodic';
  /** 1..1e9 */
  readonly every: number;
}

/** Loss that is not independent from packet to packet. Plain JSON. */
export type LossModelSettings = GilbertElliottSettings | FourStateSettings | PeriodicSettings;

const MAX_PERIOD = 1e9;

/** @throws ConfigError `FIBER_LOSS_RANGE` */
export function checkLossModel(model: LossModelSettings, where: string): LossModelSettings {
  const prob = (name: string, value: number) =>
    checkProb('FIBER_LOSS_RANGE', where, `${model.model} loss ${name}`, value);
  const atMostOne = (names: string, sum: number) => {
    // Written decimals such as 0.7 and 0.3 may add up to a hair more than 1.
    if (sum <= 1 + 1e-12) return;
    refuse('FIBER_LOSS_RANGE', `${where}: 4-state loss ${names} add up to ${sum}, more than 1`, model, {
      hint: 'they are the ways out of one state: what they leave of 1 is staying',
    });
  };
  if (model.model === 'gilbert-elliott') {
    for (const name of ['p', 'r', 'h', 'k'] as const) prob(name, model[name]);
  } else if (model.model === '4-state') {
    for (const name of ['p13', 'p31', 'p32', 'p23', 'p14'] as const) prob(name, model[name]);
    atMostOne('p13 and p14', model.p13 + model.p14);
    atMostOne('p31 and p32', model.p31 + model.p32);
  } else if (!within(model.every, 1, MAX_PERIOD) || !Number.isInteger(model.every)) {
    refuse(
      'FIBER_LOSS_RANGE',
      `${where}: periodic loss of every ${model.every}th packet is outside 1..1000000000`,
      model,
      { hint: 'write the period as a whole number of packets: 1000 loses one in a thousand' },
    );
  }
  return model;
}

/** The model that draws for these settings. @param rng the lane's stream for loss */
export function newLossModel(lossProb: number, model: LossModelSettings | null, rng: Rng): LossModel {
  if (model === null) return new BernoulliLoss(lossProb, rng);
  switch (model.model) {
    case 'gilbert-elliott':
      return new MarkovLoss(gilbertElliottStates(model.p, model.r, model.h, model.k), rng);
    case '4-state':
      return new MarkovLoss(fourStates(model.p13, model.p31, model.p32, model.p23, model.p14), rng);
    case 'periodic':
      return new PeriodicLoss(model.every);
  }
}

/** The share of packets lost in the long run, 0..1. */
export function meanLossProb(lossProb: number, model: LossModelSettings | null): number {
  if (model === null) return lossProb;
  switch (model.model) {
    case 'gilbert-elliott':
      return gilbertElliottMean(model.p, model.r, model.h, model.k);
    case '4-state':
      return fourStateMean(model.p13, model.p31, model.p32, model.p23, model.p14);
    case 'periodic':
      return 1 / model.every;
  }
}
