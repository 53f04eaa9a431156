/**
 * What compresses single pages. Native codecs stand at the I/O edge (`transport/compressor.ts`), one of our own in
 * `sparse-codec.ts`; both sides agree on one by name when the migration is offered.
 */

export interface PageCodec {
  /** What OFFER and ACCEPT call it: letters and digits. */
  readonly name: string;
  /**
   * Compresses the page src[srcAt …), which nobody writes meanwhile.
   * @param limitBytes at most this is written to dst[dstAt …)
   * @returns bytes written; 0 when they would be more than the limit
   */
  compress(src: Uint8Array, srcAt: number, dst: Uint8Array, dstAt: number, limitBytes: number): number;
  /**
   * Writes the page to dst[dstAt …): 4096 bytes at most, whatever the bytes of the block are.
   * @returns whether the block held a page exactly; if not, what stands in those 4096 bytes is of no use
   */
  decompress(src: Uint8Array, srcAt: number, srcBytes: number, dst: Uint8Array, dstAt: number): boolean;
  /** Gives native memory back. */
  close(): void;
}

const SEPARATOR = ',';
const NAMES_MAX = 8;
const NAME = /^[a-z0-9]{1,16}$/;

/** Codecs as OFFER lists them: the one wanted most first. */
export function codecList(names: readonly string[]): string {
  return names.join(SEPARATOR);
}

/** Whether a codec is in an offer's list. */
export function isOffered(name: string, offered: string): boolean {
  return offered.split(SEPARATOR).includes(name);
}

/** The first of the codecs offered that is here as well; '' when there is none, or the list is none. */
export function agreeOnCodec(offered: string, here: readonly string[]): string {
  const names = offered.split(SEPARATOR, NAMES_MAX + 1);
  if (names.length > NAMES_MAX || !names.every((name) => NAME.test(name))) return '';
  return names.find((name) => here.includes(name)) ?? '';
}
