/** What a replay refuses, by code. */
export type ReplayErrorCode =
  /** A pace that cannot be understood, or out of range. */
  | 'REPLAY_PACE'
  /** A rule of rewriting. */
  | 'REPLAY_REWRITE'
  /** An address of a side, or a capture in which no two sides are found. */
  | 'REPLAY_SIDE'
  /** Where to send: a device, an address, a package that is not there. */
  | 'REPLAY_TARGET'
  /** Nothing in the capture can be sent. */
  | 'REPLAY_NOTHING'
  /** Loops, MTU, interface out of range. */
  | 'REPLAY_OPTIONS';
