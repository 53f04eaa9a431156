/**
 * What befalls the packets of a frame when its last bit leaves, in this order:
 *
 *   loss (model or chance, then script) ──► corruption ──► duplication ──► into the glass
 *
 * Only what is not lost is damaged or copied, and a copy of a damaged packet is damaged likewise. Each
 * kind draws from a stream of its own, once per packet sent whatever befalls it otherwise: to switch one
 * on shifts nothing in the others.
 */
import type { Rng } from '../core/index.js';
import { count, newTally } from './accounting.js';
import { type DropRule, DropScript } from './drop-script.js';
import type { HeldFrame, HeldFramePool } from './held-frame.js';
import { BernoulliLoss, type LossModel } from './loss.js';
import { newLossModel } from './loss-model.js';
import { mergeLost, originalsAt, union, without } from './lost-packets.js';
import type { LaneSettings } from './settings.js';

export class Impairments {
  /** Damaged and not lost. */
  readonly corrupted = newTally();
  readonly #lossRng: Rng;
  readonly #corruptRng: Rng;
  readonly #duplicateRng: Rng;
  readonly #seedRng: Rng;
  readonly #epochNs: number;
  readonly #pool: HeldFramePool;
  #loss: LossModel;
  #script: DropScript | null;
  #corrupts: LossModel | null;
  #duplicates: LossModel | null;
  /** Scratch: positions among a frame's packets. */
  readonly #hits: number[] = [];
  readonly #others: number[] = [];

  /**
   * @param fork the lane's stream for a purpose
   * @param epochNs what the times of scripted drops count from
   * @param loss in place of what the settings say, until they are changed
   */
  constructor(
    settings: LaneSettings,
    fork: (purpose: string) => Rng,
    pool: HeldFramePool,
    epochNs: number,
    loss?: LossModel,
  ) {
    this.#lossRng = fork('loss');
    this.#corruptRng = fork('corrupt');
    this.#duplicateRng = fork('duplicate');
    this.#seedRng = fork('corrupt seed');
    this.#pool = pool;
    this.#epochNs = epochNs;
    this.#loss = loss ?? newLossModel(settings.lossProb, settings.lossModel, this.#lossRng);
    this.#script = this.#newScript(settings.drops);
    this.#corrupts = chance(settings.corruptProb, this.#corruptRng);
    this.#duplicates = chance(settings.duplicateProb, this.#duplicateRng);
  }

  /** Takes up the settings that were named in a change. */
  change(settings: LaneSettings, set: Partial<LaneSettings>): void {
    if (set.lossProb !== undefined || set.lossModel !== undefined) {
      this.#loss = newLossModel(settings.lossProb, settings.lossModel, this.#lossRng);
    }
    if (set.drops !== undefined) this.#script = this.#newScript(set.drops);
    if (set.corruptProb !== undefined) this.#corrupts = chance(set.corruptProb, this.#corruptRng);
    if (set.duplicateProb !== undefined) this.#duplicates = chance(set.duplicateProb, this.#duplicateRng);
  }

  /**
   * Decides and notes on the record. Allocates nothing while nothing is hit.
   * @param sentNs when the last bit leaves
   * @returns a record for the copies of what was duplicated, to follow this one; null as a rule
   */
  strike(held: HeldFrame, sentNs: number): HeldFrame | null {
    const hits = this.#hits;
    hits.length = 0;
    this.#loss.hits(held.packets, hits);
    if (this.#script !== null) this.#script.hits(held, sentNs, hits);
    if (this.#corrupts !== null) this.#corrupt(held, this.#passing(this.#corrupts, held));
    const copy = this.#duplicates === null ? null : this.#copy(held, this.#passing(this.#duplicates, held));
    if (hits.length > 0) markLost(held, hits);
    return copy;
  }

  #newScript(rules: readonly DropRule[]): DropScript | null {
    return rules.length === 0 ? null : new DropScript(rules, this.#epochNs);
  }

  /** The positions that a chance hits and loss does not. */
  #passing(what: LossModel, held: HeldFrame): readonly number[] {
    const others = this.#others;
    others.length = 0;
    what.hits(held.packets, others);
    if (others.length === 0 || this.#hits.length === 0) return others;
    return others.filter((position) => !this.#hits.includes(position));
  }

  #corrupt(held: HeldFrame, positions: readonly number[]): void {
    if (positions.length === 0) return;
    count(this.corrupted, 1, positions.length, bytesAt(held, positions));
    const damaged = originalsAt(held.lost, positions);
    if (held.corrupted === null) {
      held.corrupted = damaged;
      held.corruptSeed = this.#seedRng.u32();
    } else {
      held.corrupted = union(held.corrupted, damaged);
    }
  }

  #copy(held: HeldFrame, positions: readonly number[]): HeldFrame | null {
    if (positions.length === 0) return null;
    const copied = originalsAt(held.lost, positions);
    const originals = held.packets + (held.lost?.length ?? 0);
    const copy = this.#pool.takeCopy(held);
    copy.packets = positions.length;
    copy.wireBytes = bytesAt(held, positions);
    copy.lost = without(
      Array.from({ length: originals }, (_, index) => index),
      copied,
    );
    if (held.corrupted !== null && copy.lost !== null) copy.corrupted = without(held.corrupted, copy.lost);
    held.last = false;
    return copy;
  }
}

/** Which packets something befalls that befalls each with the same probability; null when none. */
function chance(prob: number, rng: Rng): LossModel | null {
  return prob > 0 ? new BernoulliLoss(prob, rng) : null;
}

/** Notes which packets of a frame are lost. @param hits positions among its packets, ascending, not empty, not kept */
function markLost(held: HeldFrame, hits: readonly number[]): void {
  held.hitPackets = hits.length;
  held.hitBytes = bytesAt(held, hits);
  if (hits.length === held.packets) return;
  held.lost = mergeLost(held.lost, hits);
  if (held.corrupted !== null) held.corrupted = without(held.corrupted, held.lost);
}

/** Wire bytes of the packets at these positions, ascending and not empty. */
function bytesAt({ packets, wireBytes, packetBytes }: HeldFrame, positions: readonly number[]): number {
  const n = positions.length;
  if (positions[n - 1] !== packets - 1) return n * packetBytes;
  return (n - 1) * packetBytes + wireBytes - (packets - 1) * packetBytes;
}
