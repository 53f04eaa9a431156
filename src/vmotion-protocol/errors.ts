/**
 * The codes of this folder. The same codes travel in REFUSE, NACK and ABORT, so that both sites name
 * one failure alike; a code a peer sends that is not listed here is kept as the text it is.
 *
 *   bad configuration  → ConfigError where it is built
 *   bad bytes          → `{ok: false, code, at, text}` from a decoder, never a throw
 *   peer's violation   → ABORT (or NACK) to the peer with code and text, then `finished`
 */
import { ConfigError } from '../core/index.js';

export type VmotionErrorCode =
  // configuration
  | 'VMOTION_CONFIG_RANGE'
  // bytes of the control stream
  | 'VMOTION_MESSAGE_LENGTH'
  | 'VMOTION_MESSAGE_SYNTAX'
  | 'VMOTION_MESSAGE_FIELD'
  | 'VMOTION_MESSAGE_UNKNOWN'
  | 'VMOTION_MESSAGE_UNEXPECTED'
  // bytes of a page stream
  | 'VMOTION_PAGE_MAGIC'
  | 'VMOTION_PAGE_KIND'
  | 'VMOTION_PAGE_FLAGS'
  | 'VMOTION_PAGE_ROUND'
  | 'VMOTION_PAGE_RUNS'
  | 'VMOTION_PAGE_RANGE'
  | 'VMOTION_PAGE_COUNT'
  | 'VMOTION_PAGE_ENCODING'
  // an offer refused
  | 'VMOTION_VERSION'
  | 'VMOTION_MODE'
  | 'VMOTION_SHAPE'
  | 'VMOTION_CODEC'
  | 'VMOTION_LIMIT'
  | 'VMOTION_EPOCH_STALE'
  | 'VMOTION_MIGRATION_KNOWN'
  | 'VMOTION_PREPARE_FAILED'
  // a migration that ended early
  | 'VMOTION_ACCEPT_TIMEOUT'
  | 'VMOTION_PROBE_TIMEOUT'
  | 'VMOTION_ROUND_STALLED'
  | 'VMOTION_ROUND_COUNT'
  | 'VMOTION_READY_TIMEOUT'
  | 'VMOTION_LOCAL_TIMEOUT'
  | 'VMOTION_STATE_SIZE'
  | 'VMOTION_NO_CONVERGENCE'
  | 'VMOTION_PRECOPY_LIMIT'
  | 'VMOTION_FINAL_STALLED'
  | 'VMOTION_CANCELLED'
  | 'VMOTION_CONNECTION_LOST'
  | 'VMOTION_RECONNECTED'
  | 'VMOTION_SUPERSEDED'
  | 'VMOTION_RECORD_FAILED'
  | 'VMOTION_RESOLVED'
  // the switchover
  | 'VMOTION_FINAL_MISMATCH'
  | 'VMOTION_VERIFY_FAILED'
  | 'VMOTION_STATE_REFUSED'
  | 'VMOTION_STARTED_TIMEOUT'
  | 'VMOTION_PROOF_INCOMPLETE'
  | 'VMOTION_ENDED_TIMEOUT'
  // post-copy
  | 'VMOTION_POSTCOPY_STALLED'
  | 'VMOTION_PAGE_HASH'
  // all went well
  | 'VMOTION_OK';

/** What a decoder says of bytes it refuses. `at` is the offset of the first byte that is wrong. */
export interface BadBytes {
  readonly ok: false;
  readonly code: VmotionErrorCode;
  readonly at: number;
  readonly text: string;
}

/**
 * Checks one option of a machine where the machine is built.
 * @throws ConfigError VMOTION_CONFIG_RANGE
 */
export function requireRange(name: string, value: number, min: number, max: number, whole = true): number {
  if (value >= min && value <= max && (!whole || Number.isSafeInteger(value))) return value;
  const range = `${min}..${max}`;
  throw new ConfigError<VmotionErrorCode>('VMOTION_CONFIG_RANGE', `${name} ${value} is outside ${range}`, {
    details: { name, value, min, max },
    hint: `choose ${whole ? 'a whole number' : 'a number'} in ${range}`,
  });
}
