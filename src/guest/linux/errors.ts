/** Codes of what goes wrong when a guest's system is put together. */
export type LinuxImageErrorCode =
  /** A program of Debian's is not here. */
  | 'GUEST_LINUX_TOOLS'
  /** A package, or a file in one, is not there. */
  | 'GUEST_LINUX_PACKAGE'
  /** The folder cannot be written. */
  | 'GUEST_LINUX_FOLDER';
