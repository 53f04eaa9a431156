/**
 * When each packet of a replay is due, in nanoseconds after the first one.
 *
 *   captured    ×1       as far from the first packet as in the capture
 *   xFACTOR              the same, divided by the factor
 *   NUMBERpps            the nth packet at n / rate
 *   RATE                 when the bits before it have passed at that rate, preamble, FCS and gap counted
 *   top, one-at-a-time   at once; what holds the sender back is not the clock
 *
 * Every instant is computed from the beginning and none from the one before it, so that no error adds up and the
 * replay does not drift. Left out: bursts (tcpreplay's --pps-multi), which are what drift is made of.
 */
import { ConfigError, formatBps, parseRate } from '../core/index.js';
import type { ReplayErrorCode } from './errors.js';

export type Pace =
  | { readonly kind: 'captured'; readonly factor: number }
  | { readonly kind: 'packets'; readonly perSecond: number }
  | { readonly kind: 'rate'; readonly bps: number }
  | { readonly kind: 'top' }
  | { readonly kind: 'one-at-a-time' };

const FACTOR = /^x(\d+(?:\.\d+)?|\.\d+)$/i;
const PACKETS = /^(\d+(?:\.\d+)?)pps$/i;
const RANGE = { min: 1e3, max: 1e12, text: '1kbit..1Tbit' };

/** Reads `captured`, `x2`, `1000pps`, `100Mbit`, `top` or `one-at-a-time`. @throws ConfigError REPLAY_PACE, CORE_UNIT_RANGE */
export function parsePace(text: string): Pace {
  const word = text.trim().toLowerCase();
  if (word === 'captured') return { kind: 'captured', factor: 1 };
  if (word === 'top' || word === 'one-at-a-time') return { kind: word };
  const factor = FACTOR.exec(word);
  if (factor)
    return { kind: 'captured', factor: within(Number(factor[1]), 1e-3, 1e3, text, 'x0.001..x1000') };
  const packets = PACKETS.exec(word);
  if (packets) {
    return {
      kind: 'packets',
      perSecond: within(Number(packets[1]), 0.01, 1e7, text, '0.01pps..10000000pps'),
    };
  }
  if (!/^[\d.]+\s*[kmgt]?(bit|bps)/i.test(word)) {
    throw new ConfigError<ReplayErrorCode>('REPLAY_PACE', `--pace ${JSON.stringify(text)} is no pace`, {
      details: { text },
      hint: 'write captured, x2, 1000pps, 100Mbit, top or one-at-a-time',
    });
  }
  return { kind: 'rate', bps: parseRate(word, '--pace', RANGE) };
}

function within(value: number, min: number, max: number, text: string, range: string): number {
  if (value >= min && value <= max) return value;
  throw new ConfigError<ReplayErrorCode>('REPLAY_PACE', `--pace ${text} is outside ${range}`, {
    details: { text, min, max },
    hint: `choose one in ${range}`,
  });
}

/** The pace in words. */
export function describePace(pace: Pace): string {
  switch (pace.kind) {
    case 'captured':
      return pace.factor === 1 ? 'as captured' : `as captured, ×${pace.factor}`;
    case 'packets':
      return `${pace.perSecond} packets/s`;
    case 'rate':
      return formatBps(pace.bps);
    case 'top':
      return 'top speed';
    case 'one-at-a-time':
      return 'one at a time';
  }
}

/** Gives each packet, in order, its instant. */
export class PaceSchedule {
  readonly #pace: Pace;
  #packets = 0;
  #bits = 0;
  /** Where the capture's clock had come to: a stamp before it is of a packet that was written late. */
  #capturedNs = 0;
  /** Packets whose stamp lay before that of one ahead of them; they are due together with it. */
  backwards = 0;

  constructor(pace: Pace) {
    this.#pace = pace;
  }

  /**
   * When the next packet is due, ns after the first.
   * @param capturedNs its stamp, after that of the first @param wireBytes what it occupies on the wire
   */
  next(capturedNs: number, wireBytes: number): number {
    const pace = this.#pace;
    const before = this.#packets++;
    const bitsBefore = this.#bits;
    this.#bits += wireBytes * 8;
    if (capturedNs < this.#capturedNs) this.backwards++;
    else this.#capturedNs = capturedNs;
    switch (pace.kind) {
      case 'captured':
        return Math.round(this.#capturedNs / pace.factor);
      case 'packets':
        return Math.round((before * 1e9) / pace.perSecond);
      case 'rate':
        return Math.round((bitsBefore / pace.bps) * 1e9);
      default:
        return 0;
    }
  }
}
