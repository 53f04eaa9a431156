/**
 * The datagram of a reliable stream (`reliable-stream.ts`).
 *
 *   0       2       3        4             8        12       16        20
 *   │ magic │ flags │ blocks │ connection  │ seq    │ ack    │ window  │ blocks × (start u32, end u32) │ payload
 *   │ 'LS'  │ u8    │ u8     │ u32         │ u32    │ u32    │ u32     │ ranges received beyond ack    │ ≤ mss
 *
 * Big-endian. `seq` is the stream offset of the payload's first byte and `ack` the next one expected, both
 * modulo 2^32; `window` counts bytes from `ack` on. A FIN stands behind the last byte and counts as one. A datagram
 * with payload carries no blocks, so that an mss is an mss.
 */
export const STREAM_HEADER_BYTES = 20;
export const STREAM_BLOCK_BYTES = 8;
/** Blocks of one acknowledgement: enough to name every hole of a window after a burst of loss. */
export const STREAM_BLOCKS_MAX = 32;

/** The connection begins: on every datagram until the peer has been heard. */
export const FLAG_SYN = 1;
/** The stream ends behind this payload. */
export const FLAG_FIN = 2;
/** Answer with an acknowledgement: keepalive, or a look whether a closed window has opened. */
export const FLAG_PROBE = 4;

export const STREAM_MAGIC = 0x4c53;
export const MAGIC_AT = 0;
export const FLAGS_AT = 2;
export const BLOCKS_AT = 3;
export const CONNECTION_AT = 4;
export const SEQ_AT = 8;
export const ACK_AT = 12;
export const WINDOW_AT = 16;

/** The full offset nearest to `reference` that ends in these 32 bits. */
export function expandOffset(wire: number, reference: number): number {
  return reference + ((wire - (reference >>> 0)) | 0);
}

/** Whether these bytes open a connection of this format. */
export function isOpeningDatagram(bytes: Uint8Array): boolean {
  return (
    bytes.length >= STREAM_HEADER_BYTES &&
    bytes[MAGIC_AT] === STREAM_MAGIC >> 8 &&
    bytes[MAGIC_AT + 1] === (STREAM_MAGIC & 0xff) &&
    (bytes[FLAGS_AT]! & FLAG_SYN) !== 0
  );
}
