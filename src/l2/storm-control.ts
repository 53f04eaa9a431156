/**
 * Storm control: a token bucket per class of what a port's frames are flooded as.
 *
 *   bucket in time: │◄── burst ──►│
 *        ───────────┼─────────────┼───►      `#fullNs` is when the bucket will be full again. A frame costs the
 *                  now        now + burst    time in which its tokens drip in, and passes if that ends in time
 *
 * A super-frame that costs more than the whole bucket passes when the bucket is full, and leaves a debt:
 * it would otherwise never pass. Source: a token bucket as in RFC 2697, kept as one instant as in ITU-T
 * I.371, annex A (virtual scheduling).
 */
import { type Frame, NS_PER_S } from '../core/index.js';
import type { StormLimit, StormLimits } from './bridge-options.js';
import { packetsOf } from './segment.js';

/** Default bucket: what a tenth of a second lets in, but never less than one full frame. */
const BURST_SHARE = 0.1;
const MIN_BURST_BYTES = 1518;

export class TokenBucket {
  readonly #countsBytes: boolean;
  readonly #unitNs: number;
  readonly #burstNs: number;
  #fullNs = 0;

  /** @param limit checked by `checkPortOptions` */
  constructor(limit: StormLimit) {
    this.#countsBytes = 'rateBps' in limit && limit.rateBps !== undefined;
    if ('rateBps' in limit && limit.rateBps !== undefined) {
      this.#unitNs = (8 * NS_PER_S) / limit.rateBps;
      const burstBytes = limit.burstBytes ?? Math.max(MIN_BURST_BYTES, (limit.rateBps / 8) * BURST_SHARE);
      this.#burstNs = burstBytes * this.#unitNs;
    } else {
      const { ratePps, burstPackets } = limit as Extract<StormLimit, { ratePps: number }>;
      this.#unitNs = NS_PER_S / ratePps;
      this.#burstNs = (burstPackets ?? Math.max(1, ratePps * BURST_SHARE)) * this.#unitNs;
    }
  }

  /** Whether the frame passes; if so, its tokens are taken. Allocates nothing. */
  admits(nowNs: number, frame: Frame): boolean {
    const costNs = (this.#countsBytes ? frame.length : packetsOf(frame)) * this.#unitNs;
    const fullNs = Math.max(this.#fullNs, nowNs);
    // Sums of fractions: without a grain of tolerance the last frame of an exact burst may fall to rounding.
    if (fullNs - nowNs + Math.min(costNs, this.#burstNs) > this.#burstNs + ROUNDING_NS) return false;
    this.#fullNs = fullNs + costNs;
    return true;
  }
}

const ROUNDING_NS = 1e-3;

export type StormReason = 'storm-broadcast' | 'storm-multicast' | 'storm-unknown-unicast';

/** The buckets of one port. */
export class StormControl {
  readonly #broadcast: TokenBucket | null;
  readonly #multicast: TokenBucket | null;
  readonly #unknownUnicast: TokenBucket | null;

  constructor({ broadcast, multicast, unknownUnicast }: StormLimits) {
    this.#broadcast = broadcast ? new TokenBucket(broadcast) : null;
    this.#multicast = multicast ? new TokenBucket(multicast) : null;
    this.#unknownUnicast = unknownUnicast ? new TokenBucket(unknownUnicast) : null;
  }

  /** Why a frame to a group goes no further; `null` when it may. */
  refuseGroup(nowNs: number, frame: Frame, isBroadcast: boolean): StormReason | null {
    const bucket = isBroadcast ? this.#broadcast : this.#multicast;
    if (bucket === null || bucket.admits(nowNs, frame)) return null;
    return isBroadcast ? 'storm-broadcast' : 'storm-multicast';
  }

  /** Why a frame to an unknown address goes no further; `null` when it may. */
  refuseUnknown(nowNs: number, frame: Frame): StormReason | null {
    const bucket = this.#unknownUnicast;
    return bucket === null || bucket.admits(nowNs, frame) ? null : 'storm-unknown-unicast';
  }
}
