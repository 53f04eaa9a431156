/**
 * A bridge: one per site.
 *
 *   frame ─► runt? ─► VLAN, MTU, first hop ─► duplicate? ─► learn source ─► look up destination
 *                                                                              │
 *      ┌───────────────────────────┬─────────────────────┬─────────────────────┤
 *      │ known, other port         │ known, same port    │ unknown             │ group
 *      ▼                           ▼                     ▼                     ▼
 *   may it? ─► forward            drop              storm? ─► flood    reserved? ─► storm? ─► answer? ─► flood
 *
 * A bridge keeps no frame: it names each in one `forward` per egress port or in exactly one `drop`, at once,
 * and so has nothing to wake for. Super-frames pass as they are and count as one frame here; the fiber
 * counts their wire packets.
 * Each rule has a file: vlan.ts, storm-control.ts, mac-moves.ts, neighbour-suppression.ts, stretch-policy.ts.
 * While none is asked for (`#isPlain`), a frame meets none of them.
 * Source: IEEE 802.1Q-2022, 8.6 (forwarding), 8.7 (learning, one database per VLAN), 8.6.3 (reserved addresses).
 * Left out: spanning tree (a site is a single bridge, the stretch is loop-free by construction).
 */
import { ConfigError, type Frame, frameOf, type Machine } from '../core/index.js';
import {
  type BridgeAction,
  type BridgeCounters,
  type BridgeDropReason,
  type BridgeEvent,
  MAX_PORTS,
  type PortRole,
} from './bridge-contract.js';
import {
  type BridgeOptions,
  checkBridgeOptions,
  checkPortOptions,
  type PortOptions,
} from './bridge-options.js';
import { BridgePort, NO_MTU, Tally } from './bridge-port.js';
import type { L2ErrorCode } from './errors.js';
import { MacMoves, MOVE_ADMITTED, MOVE_DETECTED } from './mac-moves.js';
import { MacTable } from './mac-table.js';
import { type Answerable, NeighbourSuppression } from './neighbour-suppression.js';
import { type FrameTraits, isFirstHopFrame, packetBytesOf, RelayPolicy } from './stretch-policy.js';
import { ADMIT_BAD_TAG, ADMIT_UNTAGGED, type PortVlanRules } from './vlan.js';
import { readU16, readU32, readU48 } from './wire/bytes.js';
import { ETH_DST, ETH_HEADER_BYTES, ETH_SRC, isGroupMacAt } from './wire/ethernet.js';
import { GROUP_ORDINARY, reservedGroupAt } from './wire/first-hop.js';
import { retagged, retaggedLength, VID_MASK } from './wire/vlan-tag.js';

export class Bridge implements Machine<BridgeEvent, BridgeAction> {
  /** Exposed for the driver's status page; the bridge alone writes to it. */
  readonly macs: MacTable;
  readonly #options: BridgeOptions;
  readonly #policy: RelayPolicy;
  readonly #moves: MacMoves | null;
  readonly #suppression: NeighbourSuppression | null;
  /** By port number; a removed port leaves a hole. */
  readonly #byNumber: (BridgePort | undefined)[] = [];
  /** The same ports in ascending order, for flooding. */
  #ports: BridgePort[] = [];
  /** True while no rule can keep an ordinary frame from a port or change it. */
  #isPlain = true;
  #limitsMtu = false;
  readonly #total = new Tally();
  #framesOut = 0;
  readonly #traits: FrameTraits = {
    vid: 0,
    tci: 0,
    packetBytes: 0,
    isUnknownUnicast: false,
    isFirstHop: false,
    reserved: GROUP_ORDINARY,
  };

  /** @throws ConfigError `L2_MAC_TABLE_RANGE`, `L2_BRIDGE_OPTIONS`, `L2_PORT_OPTIONS` (of `stretch.port`) */
  constructor(options: BridgeOptions = {}) {
    checkBridgeOptions(options);
    this.macs = new MacTable(options);
    this.#options = options;
    this.#policy = new RelayPolicy(options);
    this.#moves = options.duplicateMac ? new MacMoves(options.duplicateMac) : null;
    const suppress = options.stretch?.suppressNeighbours ?? false;
    this.#suppression = suppress ? new NeighbourSuppression(suppress === true ? {} : suppress) : null;
  }

  /** @throws ConfigError `L2_PORT_RANGE`, `L2_PORT_OPTIONS` on `port-added`; never on frames */
  step(nowNs: number, event: BridgeEvent, out: BridgeAction[]): void {
    switch (event.type) {
      case 'frame-received':
        this.#receive(nowNs, event.port, event.frame, out);
        break;
      case 'port-added':
        this.#addPort(event.port, event.name, event.role, event.options);
        break;
      case 'port-removed':
        this.#removePort(event.port);
        break;
      case 'move-expected':
        this.#moves?.expect(nowNs, event.mac, event.port ?? null);
        break;
      case 'duplicate-cleared':
        this.#moves?.clear(event.mac);
        break;
      case 'woke':
        break;
    }
  }

  nextWakeNs(): number {
    return Number.POSITIVE_INFINITY;
  }

  counters(): BridgeCounters {
    return {
      ...this.#total.snapshot(),
      framesOut: this.#framesOut,
      macs: this.macs.counters(),
      moves: this.#moves?.counters() ?? null,
      neighbours: this.#suppression?.counters() ?? null,
      ports: this.#ports.map((p) => p.counters()),
    };
  }

  #receive(nowNs: number, number: number, frame: Frame, out: BridgeAction[]): void {
    const ingress = this.#byNumber[number];
    this.#total.framesIn++;
    if (ingress !== undefined) {
      ingress.tally.framesIn++;
      ingress.bytesIn += frame.length;
    }
    const reason = ingress === undefined ? 'unknown-port' : this.#relay(nowNs, ingress, frame, out);
    if (reason === null) return;
    this.#total.drops[reason]++;
    if (ingress !== undefined) ingress.tally.drops[reason]++;
    out.push({ type: 'drop', frame, reason });
  }

  /** Forwards the frame, or says why not. */
  #relay(nowNs: number, ingress: BridgePort, frame: Frame, out: BridgeAction[]): BridgeDropReason | null {
    const { data, start } = frame;
    if (frame.length < ETH_HEADER_BYTES) return 'runt';
    if (isGroupMacAt(data, start + ETH_SRC)) return 'source-multicast';
    const t = this.#traits;
    if (!this.#isPlain) {
      const reason = this.#admit(ingress, frame, t);
      if (reason !== null) return reason;
    }
    if (this.#moves !== null && !this.#mayBeHere(nowNs, ingress, frame, out)) return 'mac-duplicate';
    this.macs.learnAt(nowNs, data, start + ETH_SRC, ingress.number, t.vid);
    const request = this.#suppression?.hear(nowNs, t.vid, frame, ingress.vlan !== null) ?? null;

    if (isGroupMacAt(data, start + ETH_DST)) return this.#relayGroup(nowNs, ingress, frame, request, out);
    const known = this.macs.lookupAt(nowNs, data, start + ETH_DST, t.vid);
    const egress = known < 0 ? undefined : this.#byNumber[known];
    if (egress === undefined) {
      t.isUnknownUnicast = true;
      const reason = ingress.storm?.refuseUnknown(nowNs, frame) ?? this.#flood(ingress, frame, out);
      t.isUnknownUnicast = false;
      return reason;
    }
    if (egress === ingress) return 'same-port';
    if (!this.#isPlain) {
      // A port where the address was learned in this VLAN is a member of it.
      const reason = this.#policy.refuse(t, frame, ingress, egress);
      if (reason !== null) return reason;
    }
    this.#total.forwarded++;
    ingress.tally.forwarded++;
    this.#send(egress, frame, out);
    return null;
  }

  #relayGroup(
    nowNs: number,
    ingress: BridgePort,
    frame: Frame,
    request: Answerable | null,
    out: BridgeAction[],
  ): BridgeDropReason | null {
    const at = frame.start + ETH_DST;
    const reserved = reservedGroupAt(frame.data, at);
    if (this.#policy.stopsEverywhere(reserved)) return 'link-local';
    if (ingress.storm !== null) {
      const isBroadcast = readU32(frame.data, at) === 0xffff_ffff && readU16(frame.data, at + 4) === 0xffff;
      const reason = ingress.storm.refuseGroup(nowNs, frame, isBroadcast);
      if (reason !== null) return reason;
    }
    if (request !== null && this.#answer(nowNs, ingress, frame, request, out)) return null;
    const t = this.#traits;
    t.reserved = reserved;
    const reason = this.#flood(ingress, frame, out);
    t.reserved = GROUP_ORDINARY;
    return reason;
  }

  /** What the rules want to know of the frame, or why it does not even come in. */
  #admit(ingress: BridgePort, frame: Frame, t: FrameTraits): BridgeDropReason | null {
    const { data, start, length } = frame;
    if (ingress.vlan !== null) {
      const tci = ingress.vlan.admit(data, start, start + length);
      if (tci < 0) {
        return tci === ADMIT_BAD_TAG ? 'bad-tag' : tci === ADMIT_UNTAGGED ? 'vlan-untagged' : 'vlan-ingress';
      }
      t.tci = tci;
      t.vid = tci & VID_MASK;
    }
    if (this.#limitsMtu) {
      t.packetBytes = packetBytesOf(frame);
      if (t.packetBytes > ingress.mtuBytes) return 'oversize';
    }
    if (this.#policy.filtersFirstHop) {
      t.isFirstHop = isFirstHopFrame(frame);
      if (t.isFirstHop && ingress.isStretch) return 'stretch-first-hop';
    }
    return null;
  }

  /** Whether the source may be learned where the frame came in. */
  #mayBeHere(nowNs: number, ingress: BridgePort, { data, start }: Frame, out: BridgeAction[]): boolean {
    const { vid } = this.#traits;
    const before = this.macs.lookupAt(nowNs, data, start + ETH_SRC, vid);
    if (before === ingress.number) return true;
    const mac = readU48(data, start + ETH_SRC);
    const verdict = this.#moves!.admit(nowNs, mac, vid, before, ingress.number);
    if (verdict === MOVE_DETECTED) {
      out.push({ type: 'duplicate-detected', mac, vid, keptPort: before, refusedPort: ingress.number });
    }
    return verdict === MOVE_ADMITTED;
  }

  /**
   * Answers a request for an address across the stretch, and lets the other local ports have it: to them it
   * still says where its sender is. False when it must go its way.
   */
  #answer(
    nowNs: number,
    ingress: BridgePort,
    frame: Frame,
    request: Answerable,
    out: BridgeAction[],
  ): boolean {
    const t = this.#traits;
    const across = this.#byNumber[this.macs.lookup(nowNs, request.mac, t.vid)];
    if (across === undefined || !across.isStretch || ingress.isStretch) return false;
    if (!this.#isPlain && this.#policy.refuse(t, frame, ingress, across) !== null) return false;
    this.#total.suppressed++;
    ingress.tally.suppressed++;
    for (const port of this.#ports) {
      if (port === ingress || port.isStretch || !this.#isMember(port)) continue;
      const reason = this.#isPlain ? null : this.#policy.refuse(t, frame, ingress, port);
      if (reason === null) this.#send(port, frame, out);
      else this.#withhold(port, reason);
    }
    const untagged = frameOf(request.reply());
    const tag = ingress.vlan?.tagFor(t.tci, untagged.data, 0, untagged.length) ?? 'keep';
    const bytes = retagged(untagged, tag).data;
    this.#countOut(ingress, bytes.length);
    out.push({ type: 'reply', port: ingress.number, bytes });
    return true;
  }

  #flood(ingress: BridgePort, frame: Frame, out: BridgeAction[]): BridgeDropReason | null {
    const isPlain = this.#isPlain && this.#traits.reserved === GROUP_ORDINARY;
    let copies = 0;
    let refusal: BridgeDropReason = 'no-port';
    for (const port of this.#ports) {
      if (port === ingress || !this.#isMember(port)) continue;
      const reason = isPlain ? null : this.#policy.refuse(this.#traits, frame, ingress, port);
      if (reason === null) {
        copies++;
        this.#send(port, frame, out);
      } else {
        refusal = reason;
        this.#withhold(port, reason);
      }
    }
    if (copies === 0) return refusal;
    this.#total.flooded++;
    ingress.tally.flooded++;
    return null;
  }

  #isMember(port: BridgePort): boolean {
    return port.vlan === null || port.vlan.has(this.#traits.vid);
  }

  #withhold(port: BridgePort, reason: BridgeDropReason): void {
    this.#total.withheld[reason]++;
    port.tally.withheld[reason]++;
  }

  #send(egress: BridgePort, frame: Frame, out: BridgeAction[]): void {
    if (egress.vlan !== null) {
      this.#sendByVlan(egress, egress.vlan, frame, out);
      return;
    }
    this.#countOut(egress, frame.length);
    out.push({ type: 'forward', frame, port: egress.number, tag: 'keep' });
  }

  #sendByVlan(egress: BridgePort, vlan: PortVlanRules, frame: Frame, out: BridgeAction[]): void {
    const { data, start, length } = frame;
    const tag = vlan.tagFor(this.#traits.tci, data, start, start + length);
    this.#countOut(egress, tag === 'keep' ? length : retaggedLength(frame, tag));
    out.push({ type: 'forward', frame, port: egress.number, tag });
  }

  #countOut(egress: BridgePort, bytes: number): void {
    this.#framesOut++;
    egress.framesOut++;
    egress.bytesOut += bytes;
  }

  #addPort(number: number, name: string, role: PortRole, given: PortOptions | undefined): void {
    if (!Number.isInteger(number) || number < 0 || number >= MAX_PORTS) {
      throw portError(`port number ${number} of ${name} is outside 0..${MAX_PORTS - 1}`, number);
    }
    const taken = this.#byNumber[number];
    if (taken) throw portError(`port number ${number} of ${name} is taken by ${taken.name}`, number);
    const options = given ?? (role === 'stretch' ? this.#options.stretch?.port : undefined) ?? {};
    const vlanAware = this.#options.vlanAware ?? false;
    checkPortOptions(options, vlanAware, `port ${name}`);
    this.#byNumber[number] = new BridgePort(number, name, role, options, vlanAware);
    this.#portsChanged();
  }

  #removePort(number: number): void {
    if (this.#byNumber[number] === undefined) return;
    this.#byNumber[number] = undefined;
    this.#portsChanged();
    this.macs.forgetPort(number);
    this.#moves?.forgetPort(number);
  }

  #portsChanged(): void {
    this.#ports = this.#byNumber.filter((p) => p !== undefined);
    this.#isPlain = this.#policy.isPlain && this.#ports.every((p) => p.isPlain);
    this.#limitsMtu = this.#ports.some((p) => p.mtuBytes !== NO_MTU);
  }
}

function portError(message: string, port: number): ConfigError<L2ErrorCode> {
  return new ConfigError<L2ErrorCode>('L2_PORT_RANGE', message, {
    details: { port },
    hint: `give each port a number of its own in 0..${MAX_PORTS - 1}`,
  });
}
