/** The UDP transport's machines: one connection a migration. SPEC.md, "The UDP transport". */
export { Bbr } from './congestion/bbr.js';
export type { AckSample, CongestionControl } from './congestion/congestion-control.js';
export { Cubic } from './congestion/cubic.js';
export { FixedRate } from './congestion/fixed.js';
export { RoundMax } from './congestion/round-max.js';
export { Connection, type ConnectionState } from './connection.js';
export type { ConnectionOptions } from './connection-options.js';
export { DatagramPlan } from './datagram-plan.js';
export {
  DATAGRAM_BYTES_MAX,
  ENCODING_HASHED,
  ENCODING_RAW,
  FLAG_INITIATOR,
  FLAG_OPENING,
  FLAG_SEALED,
  FRAME_BAD,
  FRAME_CONTROL,
  FRAME_END,
  FRAME_NONE,
  FRAME_PAGE,
  FRAME_ZERO,
  HASHED_BYTES,
  isPacket,
  markSealed,
  PACKET_HEADER_BYTES,
  PAGE_FRAME_BYTES,
  PacketReader,
  packetConnection,
  packetFlags,
  packetNumber,
  RECORD_BYTES_MAX,
  sealPhase,
} from './packet-codec.js';
export { PageInbox, type PageSink } from './page-inbox.js';
export { PageOutbox, type PageRecords } from './page-outbox.js';
export { PushedPages } from './page-sequence.js';
