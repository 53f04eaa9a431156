/**
 * Why the record layer turned a peer or its bytes away. The peer hears none of it: its link is closed without a
 * word. The host counts and logs it under these codes.
 */
export const SECURE_REFUSALS = {
  VMOTION_GREETING: 'bytes that are no greeting of this protocol',
  VMOTION_GREETING_KEY: 'a greeting under another key',
  VMOTION_GREETING_REPLAYED: 'a greeting that was used before',
  VMOTION_GREETING_TIMEOUT: 'no greeting in time',
  VMOTION_HALF_OPEN: 'more links wait to be authenticated than are kept waiting',
  VMOTION_HANDSHAKE: 'the TLS handshake failed: the peer does not hold the run key',
  VMOTION_HANDSHAKE_TIMEOUT: 'the TLS handshake did not end in time',
  VMOTION_HANDSHAKE_BYTES: 'more bytes than a TLS handshake takes',
  VMOTION_RECORD: 'bytes that are no record of this protocol',
  VMOTION_RECORD_FORGED: 'a record that is not authentic',
} as const;

export type SecureErrorCode = keyof typeof SECURE_REFUSALS;

/** How often each refusal happened. */
export type RefusalCounts = Record<SecureErrorCode, number>;

export function newRefusalCounts(): RefusalCounts {
  return Object.fromEntries(Object.keys(SECURE_REFUSALS).map((code) => [code, 0])) as RefusalCounts;
}
