/** The digest of the guest's device state: xxHash64, which takes any length. */
import xxhash from 'xxhash-wasm';
import type { Hash64 } from '../vmotion-protocol/index.js';

const { h64Raw } = await xxhash();

export function hashOfState(state: Uint8Array): Hash64 {
  const h = h64Raw(state);
  return { lo: Number(h & 0xffffffffn), hi: Number(h >> 32n) };
}
