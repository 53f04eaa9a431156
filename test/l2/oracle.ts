/**
 * An independent judge of wire packets: it shares no code with src/l2, sums word by word with DataView and
 * answers with what is wrong, or null.
 */

/** Bytes from annotated hex: everything from `#` to the end of a line is a comment. */
export function hex(text: string): Uint8Array {
  const digits = text.replace(/#.*$/gm, '').replace(/\s+/g, '');
  if (!/^([0-9a-f]{2})*$/i.test(digits)) throw new Error(`not hex: ${digits}`);
  return Uint8Array.from(digits.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}

/** The 16-bit one's complement sum of the parts, each of even length but the last. */
export function naiveSum(...parts: Uint8Array[]): number {
  let sum = 0;
  for (const part of parts) {
    const padded = new Uint8Array(part.length + (part.length % 2));
    padded.set(part);
    const view = new DataView(padded.buffer);
    for (let at = 0; at < padded.length; at += 2) {
      sum += view.getUint16(at);
      if (sum > 0xffff) sum -= 0xffff;
    }
  }
  return sum;
}

export interface Dissected {
  readonly version: 4 | 6;
  readonly protocol: number;
  readonly ipId: number;
  /** IP payload: transport header and data. */
  readonly transport: Uint8Array;
  readonly payload: Uint8Array;
  readonly seq: number;
  readonly flags: number;
}

/** Reads an untagged TCP or UDP packet without padding and throws at the first thing that is not right. */
export function dissect(packet: Uint8Array): Dissected {
  const view = new DataView(packet.buffer, packet.byteOffset, packet.length);
  const type = view.getUint16(12);
  const fail = (what: string): never => {
    throw new Error(`${what} in ${Buffer.from(packet).toString('hex')}`);
  };
  let at = 14;
  let protocol = 0;
  let ipId = 0;
  let pseudo: Uint8Array;
  if (type === 0x0800) {
    const ihl = (packet[14]! & 15) * 4;
    if (view.getUint16(16) !== packet.length - 14) fail('IPv4 total length');
    if (naiveSum(packet.subarray(14, 14 + ihl)) !== 0xffff) fail('IPv4 header checksum');
    protocol = packet[23]!;
    ipId = view.getUint16(18);
    at += ihl;
    const length = packet.length - at;
    pseudo = Uint8Array.of(...packet.subarray(26, 34), 0, protocol, length >> 8, length & 255);
  } else if (type === 0x86dd) {
    if (view.getUint16(18) !== packet.length - 54) fail('IPv6 payload length');
    protocol = packet[20]!;
    at += 40;
    while ([0, 43, 60].includes(protocol)) {
      protocol = packet[at]!;
      at += 8 + 8 * packet[at + 1]!;
    }
    const length = packet.length - at;
    pseudo = Uint8Array.of(...packet.subarray(22, 54), 0, 0, length >> 8, length & 255, 0, 0, 0, protocol);
  } else {
    return fail('EtherType');
  }
  const transport = packet.subarray(at);
  if (naiveSum(pseudo, transport) !== 0xffff) fail('transport checksum');
  if (protocol === 17) {
    if (view.getUint16(at + 4) !== transport.length) fail('UDP length');
    if (view.getUint16(at + 6) === 0) fail('absent UDP checksum');
    return {
      version: type === 0x0800 ? 4 : 6,
      protocol,
      ipId,
      transport,
      payload: transport.subarray(8),
      seq: 0,
      flags: 0,
    };
  }
  const payload = transport.subarray((transport[12]! >> 4) * 4);
  const version = type === 0x0800 ? 4 : 6;
  return { version, protocol, ipId, transport, payload, seq: view.getUint32(at + 4), flags: transport[13]! };
}
