/**
 * Makes frames that fit a wire of those that were captured before the network card had cut them.
 *
 *   TCP above the MTU      a super-frame: cut into segments as the card would have, checksums complete
 *   anything else above    nobody can say how it was cut: reported, not sent
 *   cut by the snap length filled up with zeros to its length: it weighs what it weighed
 *
 * The MTU counts what is behind the Ethernet header and its tags, as an interface's does.
 */
import { frameOf, GSO_TCPV4, GSO_TCPV6, NO_OFFLOAD } from '../core/index.js';
import {
  ETHERTYPE_IPV4,
  ETHERTYPE_IPV6,
  ethernetPayloadAt,
  headerLength,
  IPV4_FRAGMENT,
  packetsOf,
  toWirePackets,
} from '../l2/index.js';

/** The flag for more fragments, and the fragment offset. */
const FRAGMENTED_MASK = 0x3fff;

/** Filled up to its length on the wire, if the capture kept less. */
export function filledUp(frame: Uint8Array, wireBytes: number): Uint8Array {
  if (frame.length >= wireBytes) return frame;
  const whole = new Uint8Array(wireBytes);
  whole.set(frame);
  return whole;
}

/** Whether the frame fits. */
export function fits(frame: Uint8Array, mtu: number): boolean {
  const at = ethernetPayloadAt(frame, 0, frame.length);
  return at < 0 || frame.length - at <= mtu;
}

/** The wire packets of a frame above the MTU; null when it is none that a card cuts. */
export function segmentsOf(frame: Uint8Array, mtu: number): readonly Uint8Array[] | null {
  const at = ethernetPayloadAt(frame, 0, frame.length);
  const etherType = (frame[at - 2]! << 8) | frame[at - 1]!;
  if (etherType !== ETHERTYPE_IPV4 && etherType !== ETHERTYPE_IPV6) return null;
  const v4 = etherType === ETHERTYPE_IPV4;
  if (v4 && (((frame[at + IPV4_FRAGMENT]! << 8) | frame[at + IPV4_FRAGMENT + 1]!) & FRAGMENTED_MASK) !== 0)
    return null;
  const offload = { ...NO_OFFLOAD, gsoType: v4 ? GSO_TCPV4 : GSO_TCPV6, gsoSize: 1 };
  const headers = headerLength({ ...frameOf(frame), offload });
  if (headers < 0 || headers - at >= mtu) return null;
  const whole = { ...frameOf(frame), offload: { ...offload, gsoSize: mtu - (headers - at) } };
  return packetsOf(whole) > 1 ? toWirePackets(whole) : null;
}
