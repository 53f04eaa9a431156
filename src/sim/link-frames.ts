/**
 * What travels between two hosts' stacks: data, acknowledgements, and the word that a connection is no more.
 *
 *   data    segment 7 of connection 3, packets 0..43 (or, sent again, only 5 and 17)
 *   ack     all before segment 7 has come; of 8 packets 5 and 17 are missing; 9 and 10 are whole
 *   fin     nothing more follows        reset   this connection is not known here
 *
 * A frame has real Ethernet addresses, so that bridges learn from it, and the length and packets that TCP segmentation
 * would give it. Its payload bytes are one shared buffer: the meaning stands beside them.
 */
import { GSO_NONE, GSO_TCPV4, NO_OFFLOAD, type Offload } from '../core/index.js';
import { ETH_HEADER_BYTES, ETHERTYPE_IPV4, writeEthernet } from '../l2/index.js';
import type { BulkFrame } from './stretched-segment.js';

/** Ethernet, IPv4, and TCP with timestamps. */
export const HEADER_BYTES = ETH_HEADER_BYTES + 20 + 32;
/** TCP payload of a full packet at MTU 1500. */
export const PACKET_PAYLOAD_BYTES = 1448;
/** Packets of the largest super-frame: 64 KiB less headers. */
export const SEGMENT_PACKETS_MAX = 44;

/** Consecutive bytes of a stream, sent as one super-frame. `ends`: what is complete once these bytes are there. */
export interface Segment {
  readonly seq: number;
  readonly bytes: number;
  readonly packets: number;
  readonly ends: readonly unknown[];
}

export type LinkKind = 'control' | 'pages' | 'demand';

export type LinkContent =
  | {
      readonly type: 'data';
      readonly connection: number;
      readonly kind: LinkKind;
      /** The other end has not been heard yet: this frame may open the connection. */
      readonly opens: boolean;
      readonly segment: Segment;
      /** Which packets of the segment this frame carries; null for all. */
      readonly part: readonly number[] | null;
    }
  | {
      readonly type: 'ack';
      readonly connection: number;
      /** The lowest segment that is not whole. */
      readonly next: number;
      readonly held: readonly HeldSegment[];
      /** Bytes that may be under way beyond `next`. */
      readonly windowBytes: number;
    }
  | { readonly type: 'fin' | 'reset'; readonly connection: number };

/** A segment behind a hole, and which of its packets did not come. */
export interface HeldSegment {
  readonly seq: number;
  readonly missing: readonly number[] | null;
}

export interface LinkFrame extends BulkFrame {
  readonly content: LinkContent;
}

/** Makes the frames of one host to another. */
export class LinkFrames {
  readonly #data: Uint8Array;

  constructor(from: number, to: number) {
    this.#data = new Uint8Array(HEADER_BYTES + SEGMENT_PACKETS_MAX * PACKET_PAYLOAD_BYTES);
    writeEthernet(this.#data, 0, to, from, ETHERTYPE_IPV4);
  }

  frame(content: LinkContent): LinkFrame {
    if (content.type !== 'data') return this.#make(content, 0, 1);
    const { segment, part } = content;
    if (part === null) return this.#make(content, segment.bytes, segment.packets);
    // The last packet of a segment may be shorter than the others.
    const hasLast = part[part.length - 1] === segment.packets - 1;
    const lastBytes = segment.bytes - (segment.packets - 1) * PACKET_PAYLOAD_BYTES;
    const bytes = hasLast
      ? (part.length - 1) * PACKET_PAYLOAD_BYTES + lastBytes
      : part.length * PACKET_PAYLOAD_BYTES;
    return this.#make(content, bytes, part.length);
  }

  #make(content: LinkContent, payloadBytes: number, packets: number): LinkFrame {
    return {
      data: this.#data,
      start: 0,
      length: HEADER_BYTES + payloadBytes,
      offload: packets > 1 ? SEGMENTED : NO_OFFLOAD,
      packets,
      headerBytes: HEADER_BYTES,
      packetPayloadBytes: PACKET_PAYLOAD_BYTES,
      content,
    };
  }
}

const SEGMENTED: Readonly<Offload> = Object.freeze({
  flags: 0,
  gsoType: GSO_TCPV4 | GSO_NONE,
  hdrLen: HEADER_BYTES,
  gsoSize: PACKET_PAYLOAD_BYTES,
  csumStart: 0,
  csumOffset: 0,
});
