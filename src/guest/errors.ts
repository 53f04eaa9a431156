/** The codes of this folder's errors. Bad bytes never throw: they are not answered, or counted as wrong. */
export type GuestErrorCode =
  | 'GUEST_MEMORY_RANGE'
  | 'GUEST_DIRTY_RANGE'
  | 'GUEST_DIRTY_SKEW'
  | 'GUEST_DIRTY_KERNEL'
  | 'GUEST_STATE_INVALID'
  | 'GUEST_STATE_SHAPE'
  | 'GUEST_IMAGE_MISSING'
  | 'GUEST_IMAGE_INVALID'
  | 'GUEST_IMAGE_TOO_LARGE'
  | 'GUEST_MACHINE'
  /** A system in a machine is not ready in time. */
  | 'GUEST_BOOT'
  | 'GUEST_CLIENT_RANGE'
  | 'GUEST_STOPPED';
