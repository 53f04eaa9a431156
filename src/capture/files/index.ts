export type {
  CaptureReader,
  CaptureWriter,
  CreateOptions,
  OpenOptions,
  WritePacket,
} from './capture-io.js';
