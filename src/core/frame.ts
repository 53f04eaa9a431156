/**
 * An Ethernet frame as every floor of the house sees it.
 *
 *   data: ┌──────────┬───────────────────────────────┬───────┐
 *         │ headroom │ Ethernet header … payload end │ slack │
 *         └──────────┴───────────────────────────────┴───────┘
 *                    ▲ start                         ▲ start + length
 *
 * No preamble, no FCS. A *super-frame* is what a kernel with TSO or USO hands out: one set of
 * headers and up to 64 KiB of payload that stands for several wire packets of `gsoSize` payload bytes each.
 * The bytes belong to whoever made the frame; a machine may keep a reference only until it has
 * named the frame in a `deliver`, `forward` or `drop` action.
 */

/** Kinds of segmentation offload, VIRTIO_NET_HDR_GSO_* (virtio 1.2, section 5.1.6). */
export const GSO_NONE = 0;
export const GSO_TCPV4 = 1;
export const GSO_UDP = 3;
export const GSO_TCPV6 = 4;
export const GSO_UDP_L4 = 5;
/** Bit set beside the TCP kinds when the connection uses ECN (CWR needs care in segmentation). */
export const GSO_ECN = 0x80;

/** Flag: the checksum at `csumStart + csumOffset` holds only the pseudo-header's sum, VIRTIO_NET_HDR_F_NEEDS_CSUM. */
export const CSUM_NEEDED = 1;
/** Flag: the sender's checksum was already verified, VIRTIO_NET_HDR_F_DATA_VALID. */
export const CSUM_VALID = 2;

/** What virtio_net_hdr says of a frame. Offsets are bytes from the frame's start. */
export interface Offload {
  /** `CSUM_NEEDED` and `CSUM_VALID` bits. */
  flags: number;
  /** One of `GSO_*`. */
  gsoType: number;
  /** Bytes of headers that each wire packet repeats. A hint in the standard: recompute it before you rely on it. */
  hdrLen: number;
  /** Payload bytes each wire packet carries; 0 for an ordinary frame. */
  gsoSize: number;
  csumStart: number;
  csumOffset: number;
}

export interface Frame {
  readonly data: Uint8Array;
  /** Offset of the destination MAC in `data`. */
  readonly start: number;
  /** Bytes from destination MAC to the end of the payload. */
  readonly length: number;
  readonly offload: Readonly<Offload>;
}

/** The offload state of a plain frame: nothing pending. */
export const NO_OFFLOAD: Readonly<Offload> = Object.freeze({
  flags: 0,
  gsoType: GSO_NONE,
  hdrLen: 0,
  gsoSize: 0,
  csumStart: 0,
  csumOffset: 0,
});

/** A plain frame over bytes that the caller owns (not copied). */
export function frameOf(bytes: Uint8Array): Frame {
  return { data: bytes, start: 0, length: bytes.length, offload: NO_OFFLOAD };
}

/** The frame's bytes as a view (not copied). */
export function bytesOf(frame: Frame): Uint8Array {
  return frame.data.subarray(frame.start, frame.start + frame.length);
}
