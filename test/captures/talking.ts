/** Stations of the sample captures that answer: echo by ARP and ICMP, and a TCP just good enough for a transfer with loss. */
import {
  ARP_REPLY,
  ARP_REQUEST,
  arpFrame,
  BROADCAST_MAC,
  checksum,
  decodeArp,
  decodeTcp,
  ETH_HEADER_BYTES,
  ETHERTYPE_ARP,
  ETHERTYPE_IPV4,
  echoCodec,
  ethernetPayloadAt,
  IPV4_DST,
  IPV4_HEADER_BYTES,
  IPV4_PROTOCOL,
  IPV4_SRC,
  IPV4_TOTAL_LENGTH,
  newFrameBytes,
  PROTOCOL_TCP,
  pseudoHeaderSumV4,
  TCP_ACK,
  TCP_CHECKSUM,
  TCP_FIN,
  TCP_HEADER_BYTES,
  TCP_PSH,
  TCP_SYN,
  writeEthernet,
  writeIpv4,
} from '../../src/l2/index.js';
import type { Stretch } from './stretch.js';

export interface Host {
  readonly mac: number;
  readonly ip: number;
}

export const MAC = (n: number): number => 0x02_4c_48_00_00_00 + n;

/** Answers ARP and echo requests for itself. @returns the answer, if there is one */
export function answerOf(host: Host, frame: Uint8Array): Uint8Array | null {
  const at = ethernetPayloadAt(frame, 0, frame.length);
  if (((frame[at - 2]! << 8) | frame[at - 1]!) === ETHERTYPE_ARP) {
    const arp = decodeArp(frame, at, frame.length);
    if (!arp.ok || arp.value.operation !== ARP_REQUEST || arp.value.targetIp !== host.ip) return null;
    const { senderMac, senderIp } = arp.value;
    return arpFrame(senderMac, host.mac, {
      operation: ARP_REPLY,
      senderMac: host.mac,
      senderIp: host.ip,
      targetMac: senderMac,
      targetIp: senderIp,
    });
  }
  const echo = echoCodec.decode(frame);
  if (!echo.ok || echo.value.kind !== 'echo-request' || echo.value.dstIp !== host.ip) return null;
  const { srcMac, srcIp, id, seq, payload } = echo.value;
  return echoCodec.encode(
    { srcMac: host.mac, dstMac: srcMac, srcIp: host.ip, dstIp: srcIp, ipId: 0x4000 + seq },
    { kind: 'echo-reply', id, seq, payload },
  );
}

export function whoHas(asker: Host, ip: number): Uint8Array {
  return arpFrame(BROADCAST_MAC, asker.mac, {
    operation: ARP_REQUEST,
    senderMac: asker.mac,
    senderIp: asker.ip,
    targetMac: 0,
    targetIp: ip,
  });
}

export function ping(from: Host, to: Host, seq: number): Uint8Array {
  const payload = Uint8Array.from({ length: 56 }, (_, i) => i);
  return echoCodec.encode(
    { srcMac: from.mac, dstMac: to.mac, srcIp: from.ip, dstIp: to.ip, ipId: seq },
    { kind: 'echo-request', id: 0x4c48, seq, payload },
  );
}

const MSS = 1448;
const RETRANSMIT_NS = 200_000_000;
const WINDOW = 65_535;

/** What one end sends and has been sent. */
interface End {
  readonly host: Host;
  readonly port: number;
  readonly isn: number;
  /** Everything this end sends, FIN excluded. */
  readonly out: number[];
  /** First byte not acknowledged, next byte to send, duplicates of the last ACK. */
  una: number;
  next: number;
  duplicates: number;
  /** Next byte expected, and pieces beyond it. */
  expects: number;
  readonly beyond: Map<number, number>;
  ipId: number;
  send: (frame: Uint8Array) => void;
}

/**
 * A TCP connection between two hosts: handshake, data, three duplicate ACKs lead to a retransmission, a timer to
 * another. No congestion control: six segments are under way at most.
 */
export class Talk {
  readonly #stretch: Stretch;
  readonly #client: End;
  readonly #server: End;

  constructor(stretch: Stretch, client: Host, server: Host, ports: readonly [number, number]) {
    this.#stretch = stretch;
    this.#client = end(client, ports[0], 1000);
    this.#server = end(server, ports[1], 5000);
  }

  /** Whose frames these are to be handed on; called with each frame that reaches it. */
  attach(who: 'client' | 'server', send: (frame: Uint8Array) => void): (frame: Uint8Array) => void {
    const me = who === 'client' ? this.#client : this.#server;
    me.send = send;
    return (frame) => this.#arrived(me, me === this.#client ? this.#server : this.#client, frame);
  }

  open(): void {
    this.#segment(this.#client, this.#server, TCP_SYN, 0, 0);
  }

  /** Sends bytes. */
  write(who: 'client' | 'server', bytes: Uint8Array): void {
    const me = who === 'client' ? this.#client : this.#server;
    for (const byte of bytes) me.out.push(byte);
    this.#push(me, me === this.#client ? this.#server : this.#client);
  }

  finish(who: 'client' | 'server'): void {
    const [me, peer] = who === 'client' ? [this.#client, this.#server] : [this.#server, this.#client];
    this.#segment(me, peer, TCP_FIN | TCP_ACK, me.next, 0);
  }

  #push(me: End, peer: End): void {
    const windowBytes = 6 * MSS;
    while (me.next < me.out.length + 1 && me.next - me.una < windowBytes) {
      const length = Math.min(MSS, me.out.length + 1 - me.next);
      this.#segment(
        me,
        peer,
        TCP_ACK | (me.next + length === me.out.length + 1 ? TCP_PSH : 0),
        me.next,
        length,
      );
      this.#watch(me, peer, me.next);
      me.next += length;
    }
  }

  #watch(me: End, peer: End, from: number): void {
    this.#stretch.after(RETRANSMIT_NS, () => {
      if (me.una === from) this.#again(me, peer);
    });
  }

  #again(me: End, peer: End): void {
    const length = Math.min(MSS, me.out.length + 1 - me.una);
    if (length <= 0) return;
    this.#segment(me, peer, TCP_ACK, me.una, length);
    this.#watch(me, peer, me.una);
  }

  #arrived(me: End, peer: End, frame: Uint8Array): void {
    const at = ETH_HEADER_BYTES + IPV4_HEADER_BYTES;
    if (
      ((frame[12]! << 8) | frame[13]!) !== ETHERTYPE_IPV4 ||
      frame[ETH_HEADER_BYTES + IPV4_PROTOCOL] !== PROTOCOL_TCP
    )
      return;
    const end =
      ETH_HEADER_BYTES + ((frame[ETH_HEADER_BYTES + IPV4_TOTAL_LENGTH]! << 8) | frame[ETH_HEADER_BYTES + 3]!);
    const tcp = decodeTcp(frame, at, end);
    const view = new DataView(frame.buffer, frame.byteOffset);
    const mine =
      view.getUint32(ETH_HEADER_BYTES + IPV4_DST) === me.host.ip &&
      view.getUint32(ETH_HEADER_BYTES + IPV4_SRC) === peer.host.ip;
    if (!tcp.ok || !mine || tcp.value.dstPort !== me.port || tcp.value.srcPort !== peer.port) return;
    const { flags, seq, ack, payloadAt } = tcp.value;
    const length = end - payloadAt;
    if ((flags & TCP_SYN) !== 0) {
      me.expects = 1;
      if ((flags & TCP_ACK) === 0) this.#segment(me, peer, TCP_SYN | TCP_ACK, 0, 0);
      else {
        this.#segment(me, peer, TCP_ACK, 1, 0);
        this.#push(me, peer);
      }
      return;
    }
    this.#acknowledged(me, peer, ack - me.isn, length);
    if (length > 0) this.#takeIn(me, peer, seq - peer.isn, length);
    if ((flags & TCP_FIN) !== 0) {
      me.expects++;
      this.#segment(me, peer, TCP_ACK, me.next, 0);
    }
  }

  #acknowledged(me: End, peer: End, ack: number, length: number): void {
    if (ack > me.una) {
      me.una = ack;
      me.duplicates = 0;
      this.#push(me, peer);
    } else if (ack === me.una && length === 0 && me.next > me.una && ++me.duplicates === 3) {
      this.#again(me, peer);
    }
  }

  #takeIn(me: End, peer: End, seq: number, length: number): void {
    if (seq <= me.expects) me.expects = Math.max(me.expects, seq + length);
    else me.beyond.set(seq, length);
    for (let n = me.beyond.get(me.expects); n !== undefined; n = me.beyond.get(me.expects)) {
      me.beyond.delete(me.expects);
      me.expects += n;
    }
    this.#segment(me, peer, TCP_ACK, me.next, 0);
  }

  /** @param seq counted from the SYN, which is 0 */
  #segment(me: End, peer: End, flags: number, seq: number, length: number): void {
    const at = ETH_HEADER_BYTES + IPV4_HEADER_BYTES;
    const b = newFrameBytes(at + TCP_HEADER_BYTES + length);
    const end = at + TCP_HEADER_BYTES + length;
    const view = new DataView(b.buffer);
    writeEthernet(b, 0, peer.host.mac, me.host.mac, ETHERTYPE_IPV4);
    writeIpv4(b, ETH_HEADER_BYTES, me.host.ip, peer.host.ip, PROTOCOL_TCP, me.ipId++, end - at);
    view.setUint16(at, me.port);
    view.setUint16(at + 2, peer.port);
    view.setUint32(at + 4, me.isn + seq);
    view.setUint32(at + 8, (flags & TCP_ACK) === 0 ? 0 : peer.isn + me.expects);
    b[at + 12] = (TCP_HEADER_BYTES / 4) << 4;
    b[at + 13] = flags;
    view.setUint16(at + 14, WINDOW);
    for (let i = 0; i < length; i++) b[at + TCP_HEADER_BYTES + i] = me.out[seq - 1 + i]!;
    const pseudo = pseudoHeaderSumV4(me.host.ip, peer.host.ip, PROTOCOL_TCP, end - at);
    view.setUint16(at + TCP_CHECKSUM, checksum(b, at, end, pseudo));
    if ((flags & TCP_SYN) !== 0) {
      me.next = 1;
      me.una = 1;
    }
    me.send(b);
  }
}

function end(host: Host, port: number, isn: number): End {
  return {
    host,
    port,
    isn,
    out: [],
    una: 1,
    next: 1,
    duplicates: 0,
    expects: 0,
    beyond: new Map(),
    ipId: 1,
    send: () => {},
  };
}
