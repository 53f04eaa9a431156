/**
 * What a frame occupies on the wire, which is more than its bytes in memory:
 *
 *   ┌──────────────┬─────────────────────────────┬───────┬─────────────────┐
 *   │ preamble+SFD │ frame (length), then pad    │  FCS  │ inter-frame gap │
 *   │      8       │ to 60 when shorter          │   4   │       12        │
 *   └──────────────┴─────────────────────────────┴───────┴─────────────────┘
 *
 * A super-frame is counted packet by packet: each packet repeats the headers, the last carries what
 * payload remains. Source: IEEE 802.3-2018, 3.1.1 (packet), 3.2.8 (minimum 64 with FCS), 4.4.2 (gap 96 bits).
 * The fiber knows nothing of headers: the driver reads them and gives plain numbers.
 */

/** Preamble (7) and start-of-frame delimiter (1), bytes. */
export const PREAMBLE_BYTES = 8;
/** Frame check sequence, bytes. */
export const FCS_BYTES = 4;
/** Inter-frame gap, bytes. */
export const GAP_BYTES = 12;
/** Smallest frame with its FCS, bytes; shorter ones are padded. */
export const MIN_FRAME_BYTES = 64;
/** The largest an ordinary packet of MTU 1500 becomes: 1514 + 4 + 20 bytes. */
export const FULL_PACKET_WIRE_BYTES = 1538;

/** Wire bytes of one packet. @param frameLength bytes from destination MAC to the end of the payload, without FCS */
export function packetWireBytes(frameLength: number): number {
  const withFcs = frameLength + FCS_BYTES;
  return PREAMBLE_BYTES + Math.max(withFcs, MIN_FRAME_BYTES) + GAP_BYTES;
}

/**
 * Wire bytes of a frame that stands for `packets` packets. All but the last take
 * `packetWireBytes(headerLength + gsoSize)`; the last takes what payload remains.
 * @param headerLength bytes of headers that each packet repeats; read, like `gsoSize`, when `packets` > 1
 * @param gsoSize payload bytes that each packet carries
 */
export function wireBytesOf(
  frameLength: number,
  packets: number,
  headerLength: number,
  gsoSize: number,
): number {
  if (packets <= 1) return packetWireBytes(frameLength);
  const before = packets - 1;
  return before * packetWireBytes(headerLength + gsoSize) + packetWireBytes(frameLength - before * gsoSize);
}
