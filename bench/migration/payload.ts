/**
 * What of a full packet is page bytes. The wire counts preamble, FCS and inter-frame gap: 38 bytes beside the
 * MTU of 1500. IEEE 802.3 clause 4; RFC 9293; RFC 768; SPEC.md, "UDP"
 */
import { PACKET_HEADER_BYTES, PAGE_FRAME_BYTES } from '../../src/vmotion-protocol/index.js';

const MTU = 1500;
const WIRE_BYTES = MTU + 38;
const IPV4_TCP_TIMESTAMPS = 20 + 20 + 12;
const IPV4_UDP = 20 + 8;

export const TRANSPORTS = ['tcp', 'udp'] as const;
export type Transport = (typeof TRANSPORTS)[number];

export const PAYLOAD_SHARE: Readonly<Record<Transport, number>> = {
  tcp: (MTU - IPV4_TCP_TIMESTAMPS) / WIRE_BYTES,
  udp: (MTU - IPV4_UDP - PACKET_HEADER_BYTES - PAGE_FRAME_BYTES) / WIRE_BYTES,
};
