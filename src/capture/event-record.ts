/**
 * An event of a run as a packet of an interface of its own, so that it has its place in time beside the frames:
 *
 *   LINKTYPE_WIRESHARK_UPPER_PDU:  tag 12 "data-text-lines" │ end tag │ the text, UTF-8
 *   (epan/exported_pdu.h of Wireshark: tag u16 │ length u16 │ value padded to 4, big-endian)
 *
 * Wireshark shows the text as such; the packet's comment has it once more, for `frame.comment` filters.
 */
import { padded } from './pcapng-format.js';

const TAG_DISSECTOR = 12;
const DISSECTOR = new TextEncoder().encode('data-text-lines');

/** The bytes of the packet. */
export function encodeEvent(text: string): Uint8Array {
  const line = new TextEncoder().encode(text);
  const name = padded(DISSECTOR.length);
  const b = new Uint8Array(4 + name + 4 + line.length);
  b[1] = TAG_DISSECTOR;
  b[3] = name;
  b.set(DISSECTOR, 4);
  b.set(line, 4 + name + 4);
  return b;
}
