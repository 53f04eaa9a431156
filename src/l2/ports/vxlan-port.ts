/**
 * A VXLAN port: one virtual network's frames inside UDP datagrams, to one or several tunnel endpoints.
 *
 *   in:  UDP ─► from a peer? ─► I flag, VNI ours? ─► learn inner source MAC → peer ─► frame
 *   out: frame ─► cut to wire packets ─► destination known? ─► to that peer, else to each of them
 *
 * Frames for all and for unknown addresses are replicated here, at the head end, instead of by IP multicast.
 * What is learned ages and is bounded as in any bridge. Source: RFC 7348, sections 4 and 5.
 *
 * Left out on purpose: IP multicast groups, which need a multicast underlay; several networks behind one
 * socket (give each port an address or a UDP port of its own); IPv6 underlays.
 */
import { addressOf, closeFd, ECONNREFUSED, ENETDOWN, type Endpoint, nowNs } from '../../sys/index.js';
import {
  ETH_DST,
  ETH_HEADER_BYTES,
  ETH_SRC,
  isGroupMacAt,
  MacTable,
  VXLAN_FLAG_VNI,
  VXLAN_FLAGS,
  VXLAN_HEADER_BYTES,
  vxlanSourcePort,
  vxlanVniAt,
  writeVxlan,
} from '../index.js';
import type { FrameIo } from './frame-io.js';
import type { PooledFrame } from './frame-pool.js';
import { Appetite } from './intake.js';
import {
  countSent,
  type FramePort,
  type FrameSink,
  isSocketBusy,
  type PortDrops,
  type SendOutcome,
  type SendTally,
} from './port.js';
import { sendPlain } from './send-plain.js';
import { checkVxlanSettings, type VxlanSettings, type VxlanSockets } from './vxlan-sockets.js';

/** Bytes kept outside the moving heap: V8 gives smaller buffers an address that may change. */
const HEADER_STORE_BYTES = 128;

type VxlanDrop = 'truncated' | 'no-vni' | 'wrong-vni' | 'unknown-peer';

export class VxlanPort implements FramePort {
  readonly name: string;
  readonly fd: number;
  readonly #io: FrameIo;
  readonly #tally: SendTally;
  readonly #vni: number;
  readonly #peers: readonly Endpoint[];
  readonly #senderFds: readonly number[];
  /** The eight bytes that stand before every frame sent. */
  readonly #header = new Uint8Array(HEADER_STORE_BYTES);
  readonly #headerAddress: number;
  /** Inner address → index of the peer it was heard from. */
  readonly #learned = new MacTable();
  readonly #appetite = new Appetite();
  readonly #drops: Record<VxlanDrop, number> = {
    truncated: 0,
    'no-vni': 0,
    'wrong-vni': 0,
    'unknown-peer': 0,
  };

  /**
   * @param sockets from `openVxlanSockets`; the port owns them from here on
   * @param tally where the port counts the datagrams it sends
   * @throws ConfigError `L2_VXLAN_RANGE`
   */
  constructor(name: string, settings: VxlanSettings, sockets: VxlanSockets, io: FrameIo, tally: SendTally) {
    checkVxlanSettings(settings);
    this.name = name;
    this.fd = sockets.fd;
    this.#senderFds = sockets.senderFds;
    this.#vni = settings.vni;
    this.#peers = settings.peers;
    this.#io = io;
    this.#tally = tally;
    writeVxlan(this.#header, 0, settings.vni);
    this.#headerAddress = addressOf(this.#header);
  }

  receive(limit: number, sink: FrameSink): number {
    const { intake } = this.#io;
    const n = intake.readMessages(this.fd, VXLAN_HEADER_BYTES, this.#appetite, limit);
    const { error } = intake;
    const now = nowNs();
    for (let k = 0; k < n; k++) {
      const peer = this.#accept(k);
      if (peer < 0) continue;
      const frame = intake.take(k);
      frame.clearHeader();
      const { data, start, length } = frame;
      if (length >= ETH_HEADER_BYTES && !isGroupMacAt(data, start + ETH_SRC)) {
        this.#learned.learnAt(now, data, start + ETH_SRC, peer);
      }
      sink(frame);
    }
    // The listening socket never sends, so that errors of the path do not reach it: any is the end of it.
    return error === 0 || error === ECONNREFUSED || error === ENETDOWN ? n : -1;
  }

  send(frame: PooledFrame): void {
    sendPlain(this.#io.pool, frame, this.#sendOne);
  }

  readonly #sendOne = (packet: PooledFrame): void => {
    const { data, start, length } = packet;
    const entropy = vxlanSourcePort(data, start, start + length);
    const fd = this.#senderFds[entropy % this.#senderFds.length]!;
    const known =
      length < ETH_HEADER_BYTES || isGroupMacAt(data, start + ETH_DST) ? -1 : this.#peerOf(packet);
    const { sends } = this.#io;
    for (let peer = 0; peer < this.#peers.length; peer++) {
      if (known >= 0 && known !== peer) continue;
      const { ip, port } = this.#peers[peer]!;
      sends.pushTo(this, fd, packet, this.#headerAddress, VXLAN_HEADER_BYTES, ip, port);
    }
  };

  sent(frame: PooledFrame, result: number): SendOutcome {
    return countSent(this.#tally, frame, result, isSocketBusy);
  }

  flush(): void {
    this.#io.flush();
  }

  /** `no-vni`: the I flag is clear. `unknown-peer`: from an address that is not one of the peers. */
  drops(): PortDrops {
    return { ...this.#drops };
  }

  close(): void {
    this.#io.flush();
    closeFd(this.fd);
    for (const fd of this.#senderFds) closeFd(fd);
  }

  #peerOf(packet: PooledFrame): number {
    return this.#peers.length === 1
      ? 0
      : this.#learned.lookupAt(nowNs(), packet.data, packet.start + ETH_DST);
  }

  /** The index of the peer that the k-th datagram came from; -1 when it is refused, and counted. */
  #accept(k: number): number {
    const { intake } = this.#io;
    const bytes = intake.bytes(k);
    if (bytes < VXLAN_HEADER_BYTES) return this.#refuse('truncated');
    const { data, start } = intake.peek(k);
    const header = start - VXLAN_HEADER_BYTES;
    if ((data[header + VXLAN_FLAGS]! & VXLAN_FLAG_VNI) === 0) return this.#refuse('no-vni');
    if (vxlanVniAt(data, header, start) !== this.#vni) return this.#refuse('wrong-vni');
    const ip = intake.messages.senderIp(intake.slot(k));
    for (let peer = 0; peer < this.#peers.length; peer++) if (this.#peers[peer]!.ip === ip) return peer;
    return this.#refuse('unknown-peer');
  }

  #refuse(reason: VxlanDrop): -1 {
    this.#drops[reason]++;
    return -1;
  }
}
