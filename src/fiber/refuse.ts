/** How this folder refuses a configuration: one union of codes, one way out. */
import { ConfigError } from '../core/index.js';

export type FiberErrorCode =
  | 'FIBER_PROFILE_UNKNOWN'
  | 'FIBER_DISTANCE_RANGE'
  | 'FIBER_ONE_WAY_RANGE'
  | 'FIBER_DELAY_TWICE'
  | 'FIBER_INDEX_RANGE'
  | 'FIBER_INDEX_UNUSED'
  | 'FIBER_RATE_RANGE'
  | 'FIBER_QUEUE_RANGE'
  | 'FIBER_QUEUE_OVERRUN'
  | 'FIBER_CODEL_RANGE'
  | 'FIBER_LOSS_RANGE'
  | 'FIBER_DROPS_RANGE'
  | 'FIBER_FILTER'
  | 'FIBER_JITTER_RANGE'
  | 'FIBER_DUPLICATE_RANGE'
  | 'FIBER_CORRUPT_RANGE'
  | 'FIBER_LINK_STATE'
  | 'FIBER_SPANS_RANGE'
  | 'FIBER_SPANS_TWICE'
  | 'FIBER_TIMELINE'
  | 'FIBER_TRACE';

/** Refuses a configuration: every `ConfigError` of this folder leaves through here. */
export function refuse(
  code: FiberErrorCode,
  message: string,
  details: object,
  remedy: { readonly hint: string },
): never {
  throw new ConfigError<FiberErrorCode>(code, message, { details: { ...details }, hint: remedy.hint });
}

/** False for NaN, so that it is refused like any other nonsense. */
export function within(value: number, min: number, max: number): boolean {
  return value >= min && value <= max;
}

/** A probability, or the refusal that tells a percentage from one. */
export function checkProb(code: FiberErrorCode, where: string, what: string, prob: number): number {
  if (within(prob, 0, 1)) return prob;
  return refuse(
    code,
    `${where}: ${what} ${prob} is outside 0..1`,
    { [what]: prob },
    {
      hint: prob > 1 ? `for ${prob} % write ${prob}%` : `write 0 for no ${what}`,
    },
  );
}
