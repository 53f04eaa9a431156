/** The digest of a device state, as both simulated hosts take it: FNV-1a in two lanes. */
import type { Hash64 } from '../vmotion-protocol/index.js';

export function stateDigest(state: Uint8Array): Hash64 {
  let lo = 0x811c9dc5;
  let hi = 0x01000193;
  for (const byte of state) {
    lo = Math.imul(lo ^ byte, 0x01000193);
    hi = Math.imul(hi ^ byte, 0x85ebca6b);
  }
  return { lo: lo >>> 0, hi: hi >>> 0 };
}
