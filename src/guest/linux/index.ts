/** The linux guest, put together from Debian's packages. */
export { buildLinux, type LinuxImage, linuxImageFolder } from './build.js';
export type { LinuxImageErrorCode } from './errors.js';
