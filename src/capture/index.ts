/** Captures: pcapng and classic pcap as bytes, filters over packets. Pure: files are read and written by files/. */
export { BlockBuffer } from './block-buffer.js';
export { ANYWHERE, CaptureFilter, type FilterPlace, placeOf } from './capture-filter.js';
export * from './captured-packet.js';
export {
  CLASSIC_HEADER_BYTES,
  CLASSIC_PACKET_HEADER_BYTES,
  ClassicEncoder,
  type ClassicHeader,
  isClassicMagic,
  MAGIC_NS,
  readClassicHeader,
} from './classic-format.js';
export { encodeEvent } from './event-record.js';
export { whatItIs } from './foreign.js';
export { hasPrefix, type IpPrefix, maskOf, parseIpPrefix } from './ip-prefix.js';
export type { ResolvedName } from './name-records.js';
export { PcapngDecoder } from './pcapng-decoder.js';
export { type PacketNotes, PcapngEncoder, type SectionWords } from './pcapng-encoder.js';
export { BLOCK_SECTION } from './pcapng-format.js';
export { describeRecording, type RecordingReport } from './recording-report.js';
