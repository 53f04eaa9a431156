export { FrameIo } from './frame-io.js';
export { FramePool, MAX_FRAME_BYTES, PooledFrame } from './frame-pool.js';
export { NioUdpLink } from './nio-udp-link.js';
export { type NioUdpPair, openNioUdpPair } from './nio-udp-pair.js';
export { NioUdpPort } from './nio-udp-port.js';
export {
  type FramePort,
  type FrameSink,
  newTally,
  type PortDrops,
  type PortKind,
  type SendOutcome,
  type SendTally,
} from './port.js';
export { VnetPort } from './vnet-port.js';
export { VxlanPort } from './vxlan-port.js';
export { openVxlanSockets, type VxlanSettings, type VxlanSockets } from './vxlan-sockets.js';
