/** L2: wire formats, the learning bridge, super-frames, a small end station, announcements. Pure: no socket, no clock. */
export * from './announce.js';
export { Bridge } from './bridge.js';
export * from './bridge-contract.js';
export * from './bridge-options.js';
export { type ChecksummedSpan, checksummedSpan, isUdpChecksumZero } from './checksummed.js';
export type { L2ErrorCode } from './errors.js';
export { EXPECTED_MOVE_NS, type FrozenMac, type MacMoveCounters } from './mac-moves.js';
export * from './mac-table.js';
export type { SuppressionCounters } from './neighbour-suppression.js';
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
export * from './wire/first-hop.js';
export * from './wire/icmp.js';
export * from './wire/ipv4.js';
export * from './wire/ipv6.js';
export * from './wire/ndp.js';
export * from './wire/rarp.js';
export * from './wire/tcp.js';
export * from './wire/udp.js';
export * from './wire/vlan-tag.js';
export * from './wire/vxlan.js';
