/** Codes of what goes wrong with a QEMU. */
export type QemuErrorCode =
  /** QEMU is not installed, or not where it was said to be. */
  | 'QEMU_MISSING'
  /** It is older than what this folder speaks to. */
  | 'QEMU_OLD'
  /** It cannot do what was asked of it on this machine. */
  | 'QEMU_CANNOT'
  /** It ended, or never came up. */
  | 'QEMU_DIED'
  /** It refused a command. */
  | 'QEMU_QMP_REFUSED'
  /** What came over its control channel is not QMP. */
  | 'QEMU_QMP_BROKEN';
