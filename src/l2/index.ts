/** L2: wire formats, the learning bridge, super-frames, a small end station, announcements. Pure: no socket, no clock. */
export * from './announce.js';
export * from './bridge.js';
export type { L2ErrorCode } from './errors.js';
export * from './mac-table.js';
export { ARP_RETRY_NS, ARP_TRIES, MAX_PENDING_FRAMES } from './neighbours.js';
export * from './segment.js';
export { EndStation } from './station.js';
export type {
  Endpoint,
  StationAction,
  StationConfig,
  StationCounters,
  StationDropReason,
  StationEvent,
  StationRefusal,
} from './station-contract.js';
export * from './wire/arp.js';
export { type Decoded, decoded, type Refused, refused } from './wire/bytes.js';
export * from './wire/checksum.js';
export * from './wire/datagram.js';
export * from './wire/describe.js';
export * from './wire/ethernet.js';
export * from './wire/icmp.js';
export * from './wire/ipv4.js';
export * from './wire/ipv6.js';
export * from './wire/ndp.js';
export * from './wire/rarp.js';
export * from './wire/tcp.js';
export * from './wire/udp.js';
