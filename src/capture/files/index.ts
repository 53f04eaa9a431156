/** Capture files: opened, read in order and in bounded memory, and written. */
export type {
  CaptureReader,
  CaptureWriter,
  CreateOptions,
  OpenOptions,
  RingOptions,
  WritePacket,
} from './capture-io.js';
export { CaptureFile, createCapture } from './create-capture.js';
export { openCapture } from './open-capture.js';
