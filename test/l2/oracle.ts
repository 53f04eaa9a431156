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

/** How a port of the model takes part in VLANs: it admits `allowed`, and `untagged` is its VLAN of plain frames. */
export interface ModelPort {
  readonly trunk: boolean;
  readonly allowed: readonly number[];
  readonly untagged: number | null;
}

/** What the model lets out: the bytes by port number, or `null` when the frame ends here. */
export type ModelResult = ReadonlyMap<number, string> | null;

/**
 * A VLAN bridge in the plainest words, on hex strings: it never ages, never fills, and knows no other rule.
 * Frames are at least 64 bytes, so that none needs padding.
 */
export class ModelBridge {
  readonly #where = new Map<string, number>();

  constructor(readonly ports: readonly ModelPort[]) {}

  give(from: number, bytes: Uint8Array): ModelResult {
    const text = Buffer.from(bytes).toString('hex');
    const [dst, src] = [text.slice(0, 12), text.slice(12, 24)];
    const isGroup = (mac: string): boolean => Number.parseInt(mac[1]!, 16) % 2 === 1;
    const port = this.ports[from]!;
    if (isGroup(src)) return null;
    const tagged = text.slice(24, 28) === '8100';
    const priority = tagged ? text[28]! : '0';
    const carried = tagged ? Number.parseInt(text.slice(29, 32), 16) : 0;
    const rest = text.slice(tagged ? 32 : 24);
    if (carried === 4095) return null;
    const vlan =
      carried === 0 ? port.untagged : port.trunk && port.allowed.includes(carried) ? carried : null;
    if (vlan === null) return null;
    this.#where.set(`${vlan} ${src}`, from);
    if (/^0180c200000.$/.test(dst)) return null;
    const known = isGroup(dst) ? undefined : this.#where.get(`${vlan} ${dst}`);
    if (known === from) return null;
    const out = new Map<number, string>();
    this.ports.forEach((to, number) => {
      if (number === from || !to.allowed.includes(vlan) || (known !== undefined && number !== known)) return;
      const plain = to.untagged === vlan;
      if (plain && to.trunk && tagged && rest.startsWith('8100')) return;
      const tag = `8100${priority}${vlan.toString(16).padStart(3, '0')}`;
      out.set(number, dst + src + (plain ? '' : tag) + rest);
    });
    return out.size === 0 ? null : out;
  }
}
