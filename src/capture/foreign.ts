/** What a file that is no capture is, by its first bytes: so that the refusal says what to do about it. */

interface Known {
  readonly magic: readonly number[];
  readonly what: string;
  readonly hint: string;
}

const EDITCAP = 'convert it: editcap -F pcapng FILE OUT.pcapng';

const KNOWN: readonly Known[] = [
  { magic: [0x1f, 0x8b], what: 'gzip', hint: 'unpack it with gunzip' },
  { magic: [0x28, 0xb5, 0x2f, 0xfd], what: 'Zstandard', hint: 'unpack it with zstd -d' },
  { magic: [0xfd, 0x37, 0x7a, 0x58, 0x5a], what: 'xz', hint: 'unpack it with unxz' },
  { magic: [0x42, 0x5a, 0x68], what: 'bzip2', hint: 'unpack it with bunzip2' },
  { magic: [0x04, 0x22, 0x4d, 0x18], what: 'LZ4', hint: 'unpack it with lz4 -d' },
  { magic: [0x50, 0x4b, 0x03, 0x04], what: 'a ZIP archive', hint: 'unpack it with unzip' },
  { magic: [0x73, 0x6e, 0x6f, 0x6f, 0x70, 0], what: 'a snoop capture', hint: EDITCAP },
  { magic: [0x47, 0x4d, 0x42, 0x55], what: 'a Network Monitor capture', hint: EDITCAP },
  { magic: [0x7f, 0x45, 0x4c, 0x46], what: 'an ELF program', hint: 'name the capture' },
];

const OTHER = 'a capture begins with 0a0d0d0a (pcapng), a1b2c3d4 or a1b23c4d (pcap, either byte order)';

/** @param b the first bytes of the file, at least one */
export function whatItIs(b: Uint8Array): { readonly what: string; readonly hint: string } {
  const known = KNOWN.find(({ magic }) => magic.every((byte, i) => b[i] === byte));
  if (known !== undefined) return known;
  if (isText(b)) return { what: 'text', hint: 'text2pcap makes a capture of a hex dump' };
  const hex = Array.from(b.subarray(0, 4), (byte) => byte.toString(16).padStart(2, '0')).join('');
  return { what: `something that begins with ${hex}`, hint: OTHER };
}

function isText(b: Uint8Array): boolean {
  return b.every((byte) => byte >= 0x20 || byte === 0x09 || byte === 0x0a || byte === 0x0d);
}
