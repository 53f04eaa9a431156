export { FramePool, MAX_FRAME_BYTES, PooledFrame } from './frame-pool.js';
export { NioUdpLink } from './nio-udp-link.js';
export { type NioUdpPair, openNioUdpPair } from './nio-udp-pair.js';
export { NioUdpPort } from './nio-udp-port.js';
export type { FramePort, FrameSink, PortKind, SendResult } from './port.js';
export { VnetPort } from './vnet-port.js';
