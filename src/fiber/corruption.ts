/**
 * Where a damaged packet is damaged. The fiber says which packets; the driver holds the bytes and flips
 * the bit, after it has completed the packet's checksums: one that is filled in later would cover up
 * the damage.
 */

/**
 * The bit to flip, the same for every copy of a packet.
 * @param corruptSeed from the action
 * @param packet original index in its super-frame, 0 for an ordinary frame
 * @param bits how many bits a checksum of the packet covers, at least 1
 * @returns 0..bits-1
 */
export function corruptedBit(corruptSeed: number, packet: number, bits: number): number {
  let z = (corruptSeed + Math.imul(packet + 1, 0x9e3779b9)) | 0;
  z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
  z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
  return ((z ^ (z >>> 15)) >>> 0) % bits;
}
