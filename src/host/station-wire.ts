/**
 * Datagrams of the UDP transport without a kernel network: UDP of our own end station, in Ethernet frames on a NIO-UDP
 * port of the bridge. The `loopback` attach uses it.
 *
 *   UdpLinks ─► StationWire ─► EndStation (UDP, IPv4, ARP) ─► one datagram a frame to the fabric
 */
import { WOKE } from '../core/index.js';
import { EndStation, type StationAction } from '../l2/index.js';
import {
  connectUdp,
  type Endpoint,
  nowNs,
  POLLIN,
  type PollSet,
  receiveBytes,
  sendBytes,
} from '../sys/index.js';
import { DATAGRAM_BYTES_MAX, DatagramPlan } from '../vmotion-protocol/index.js';
import { type DatagramSink, type DatagramWire, newRegion } from '../vmotion-protocol/transport/index.js';
import type { VmkAttach } from './ipc.js';

const LOOPBACK = 0x7f000001;
/** IPv4 and UDP headers. */
const HEADERS = 28;
const FRAME_BYTES = 10_240;
/** Frames taken in between two looks at the links. */
const BATCH = 64;

export class StationWire implements DatagramWire {
  readonly maxDatagramBytes: number;
  readonly flat = true;
  readonly plan = new DatagramPlan(new Uint8Array(FRAME_BYTES));
  /** A socket that is full drops: nothing is ever waited for here, pacing and loss detection are. */
  readonly at = 0;
  readonly #fd: number;
  readonly #slot: number;
  readonly #polls: PollSet;
  readonly #station: EndStation;
  readonly #local: Endpoint;
  readonly #peer: Endpoint;
  readonly #actions: StationAction[] = [];
  readonly #frame = newRegion(FRAME_BYTES);
  readonly #transmit = newRegion(FRAME_BYTES);

  constructor(
    polls: PollSet,
    attach: Extract<VmkAttach, { kind: 'datagram' }>,
    local: Endpoint,
    peer: Endpoint,
  ) {
    this.maxDatagramBytes = Math.min(DATAGRAM_BYTES_MAX, attach.mtu - HEADERS);
    this.#polls = polls;
    this.#fd = attach.fd;
    connectUdp(attach.fd, { ip: LOOPBACK, port: attach.fabricUdpPort });
    this.#slot = polls.add(attach.fd, POLLIN);
    this.#station = new EndStation({ mac: attach.mac, ip: local.ip, mtu: attach.mtu });
    this.#local = local;
    this.#peer = peer;
  }

  push(): void {
    const payload = this.plan.bytes.subarray(this.plan.start, this.plan.end);
    const event = { type: 'udp-requested', to: this.#peer, fromPort: this.#local.port, payload } as const;
    this.#station.step(nowNs(), event, this.#actions);
    this.#carryOut(null);
  }

  flush(): void {} // every datagram leaves as it is pushed

  takeIn(sink: DatagramSink): void {
    const atNs = nowNs();
    for (let i = 0; i < BATCH; i++) {
      const n = receiveBytes(this.#fd, this.#frame.address, FRAME_BYTES);
      if (n < 0) break;
      const bytes = this.#frame.bytes.subarray(0, n);
      this.#station.step(atNs, { type: 'frame-received', bytes }, this.#actions);
      this.#carryOut(sink);
    }
    if (this.#station.nextWakeNs() > atNs) return;
    this.#station.step(atNs, WOKE, this.#actions);
    this.#carryOut(sink);
  }

  nextWakeNs(): number {
    return this.#station.nextWakeNs();
  }

  close(): void {
    this.#polls.remove(this.#slot);
  }

  #carryOut(sink: DatagramSink | null): void {
    for (const action of this.#actions) {
      if (action.type === 'send') {
        this.#transmit.bytes.set(action.bytes);
        sendBytes(this.#fd, this.#transmit.address, action.bytes.length);
      } else if (action.type === 'udp-received') {
        const { from, toPort, payload } = action;
        if (toPort !== this.#local.port || from.port !== this.#peer.port || from.ip !== this.#peer.ip)
          continue;
        const view = new DataView(payload.buffer, payload.byteOffset, payload.length);
        sink?.(payload, view, 0, payload.length, null);
      }
    }
    this.#actions.length = 0;
  }
}
