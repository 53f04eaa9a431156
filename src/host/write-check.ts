/** FNV-1a of the first bytes of a write: finds those that a crash has torn, not malice (the files are mode 0600). */
export function writeCheck(bytes: Uint8Array, length: number): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < length; i++) h = Math.imul(h ^ bytes[i]!, 0x01000193);
  return h >>> 0;
}
