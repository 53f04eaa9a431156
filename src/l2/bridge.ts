/**
 * A learning bridge: one per site.
 *
 *   frame ──► runt? ──► learn source ──► reserved? ──► look up destination ──┬─ known, other port ─► forward
 *                                                                            ├─ known, same port ──► drop
 *                                                                            └─ unknown or group ──► flood
 *
 * A bridge keeps no frame: it names each in one `forward` per egress port or in exactly one `drop`, at once,
 * and so has nothing to wake for. Super-frames pass as they are and count as one frame here; the fiber
 * counts their wire packets.
 * Source: IEEE 802.1Q-2022, 8.6 (forwarding), 8.7 (learning), 8.6.3 (reserved addresses).
 * Left out: spanning tree (a site is a single bridge, the stretch is loop-free by construction).
 */
import { ConfigError, type Frame, type Machine, type Woke } from '../core/index.js';
import type { L2ErrorCode } from './errors.js';
import { MacTable, type MacTableCounters, type MacTableOptions } from './mac-table.js';
import { readU48 } from './wire/bytes.js';
import { ETH_DST, ETH_HEADER_BYTES, ETH_SRC, isGroupMacAt, isLinkLocalMac } from './wire/ethernet.js';

/** What a port leads to; `stretch` is the side of the fiber. */
export type PortRole = 'guest' | 'vmk' | 'client' | 'stretch';

/** Why a frame went no further. */
export type BridgeDropReason =
  /** Shorter than an Ethernet header. */
  | 'runt'
  /** It came by a port the bridge does not have (any more). */
  | 'unknown-port'
  /** Its source is a group address, which nobody can have. */
  | 'source-multicast'
  /** It is for 01-80-C2-00-00-0X, which stays on its own link. */
  | 'link-local'
  /** Its destination lies on the port it came from. */
  | 'same-port'
  /** It was to be flooded and there is no other port. */
  | 'no-port';

/** The caller may write to this object and use it again: the bridge keeps nothing of it but names the frame in actions. */
export interface BridgeFrameReceived {
  readonly type: 'frame-received';
  port: number;
  frame: Frame;
}

export type BridgeEvent =
  | BridgeFrameReceived
  | { readonly type: 'port-added'; readonly port: number; readonly name: string; readonly role: PortRole }
  | { readonly type: 'port-removed'; readonly port: number }
  | Woke;

export type BridgeAction =
  | { readonly type: 'forward'; readonly frame: Frame; readonly port: number }
  | { readonly type: 'drop'; readonly frame: Frame; readonly reason: BridgeDropReason };

export type DropCounters = Record<BridgeDropReason, number>;

/** At every instant `framesIn = forwarded + flooded + Σ drops`. */
export interface BridgePortCounters {
  readonly port: number;
  readonly name: string;
  readonly role: PortRole;
  readonly framesIn: number;
  readonly bytesIn: number;
  readonly framesOut: number;
  readonly bytesOut: number;
  /** Frames from here that went to the one port of their destination. */
  readonly forwarded: number;
  /** Frames from here that went to every other port. */
  readonly flooded: number;
  readonly drops: DropCounters;
}

/** A snapshot. At every instant `framesIn = forwarded + flooded + Σ drops`, and `framesOut` counts the copies. */
export interface BridgeCounters {
  readonly framesIn: number;
  readonly framesOut: number;
  readonly forwarded: number;
  readonly flooded: number;
  readonly drops: DropCounters;
  readonly macs: MacTableCounters;
  /** Ports by number; a removed port takes its figures along, the totals keep them. */
  readonly ports: readonly BridgePortCounters[];
}

/** Port numbers are 0..1023, so that they index an array. */
export const MAX_PORTS = 1024;

export class Bridge implements Machine<BridgeEvent, BridgeAction> {
  /** Exposed for the driver's status page; the bridge alone writes to it. */
  readonly macs: MacTable;
  /** By port number; a removed port leaves a hole. */
  readonly #byNumber: (Port | undefined)[] = [];
  /** The same ports in ascending order, for flooding. */
  #ports: Port[] = [];
  readonly #total = new Tally();
  #framesOut = 0;

  /** @throws ConfigError `L2_MAC_TABLE_RANGE` */
  constructor(options: MacTableOptions = {}) {
    this.macs = new MacTable(options);
  }

  /** @throws ConfigError `L2_PORT_RANGE` on `port-added` with a bad or taken number; never on frames */
  step(nowNs: number, event: BridgeEvent, out: BridgeAction[]): void {
    switch (event.type) {
      case 'frame-received':
        this.#receive(nowNs, event.port, event.frame, out);
        break;
      case 'port-added':
        this.#addPort(event.port, event.name, event.role);
        break;
      case 'port-removed':
        this.#removePort(event.port);
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
      ports: this.#ports.map((p) => ({
        port: p.number,
        name: p.name,
        role: p.role,
        bytesIn: p.bytesIn,
        framesOut: p.framesOut,
        bytesOut: p.bytesOut,
        ...p.tally.snapshot(),
      })),
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
  #relay(nowNs: number, ingress: Port, frame: Frame, out: BridgeAction[]): BridgeDropReason | null {
    const { data, start } = frame;
    if (frame.length < ETH_HEADER_BYTES) return 'runt';
    if (isGroupMacAt(data, start + ETH_SRC)) return 'source-multicast';
    this.macs.learnAt(nowNs, data, start + ETH_SRC, ingress.number);

    if (isGroupMacAt(data, start + ETH_DST)) {
      const reserved = isLinkLocalMac(readU48(data, start + ETH_DST));
      return reserved ? 'link-local' : this.#flood(ingress, frame, out);
    }
    const known = this.macs.lookupAt(nowNs, data, start + ETH_DST);
    const egress = known < 0 ? undefined : this.#byNumber[known];
    if (egress === undefined) return this.#flood(ingress, frame, out);
    if (egress === ingress) return 'same-port';
    this.#total.forwarded++;
    ingress.tally.forwarded++;
    this.#send(egress, frame, out);
    return null;
  }

  #flood(ingress: Port, frame: Frame, out: BridgeAction[]): BridgeDropReason | null {
    if (this.#ports.length < 2) return 'no-port';
    this.#total.flooded++;
    ingress.tally.flooded++;
    for (const port of this.#ports) if (port !== ingress) this.#send(port, frame, out);
    return null;
  }

  #send(egress: Port, frame: Frame, out: BridgeAction[]): void {
    this.#framesOut++;
    egress.framesOut++;
    egress.bytesOut += frame.length;
    out.push({ type: 'forward', frame, port: egress.number });
  }

  #addPort(number: number, name: string, role: PortRole): void {
    if (!Number.isInteger(number) || number < 0 || number >= MAX_PORTS) {
      throw portError(`port number ${number} of ${name} is outside 0..${MAX_PORTS - 1}`, number);
    }
    const taken = this.#byNumber[number];
    if (taken) throw portError(`port number ${number} of ${name} is taken by ${taken.name}`, number);
    this.#byNumber[number] = new Port(number, name, role);
    this.#ports = this.#byNumber.filter((p) => p !== undefined);
  }

  #removePort(number: number): void {
    if (this.#byNumber[number] === undefined) return;
    this.#byNumber[number] = undefined;
    this.#ports = this.#byNumber.filter((p) => p !== undefined);
    this.macs.forgetPort(number);
  }
}

/** What became of frames that came in. */
class Tally {
  framesIn = 0;
  forwarded = 0;
  flooded = 0;
  readonly drops: DropCounters = {
    runt: 0,
    'unknown-port': 0,
    'source-multicast': 0,
    'link-local': 0,
    'same-port': 0,
    'no-port': 0,
  };

  snapshot(): { framesIn: number; forwarded: number; flooded: number; drops: DropCounters } {
    const { framesIn, forwarded, flooded, drops } = this;
    return { framesIn, forwarded, flooded, drops: { ...drops } };
  }
}

class Port {
  readonly tally = new Tally();
  bytesIn = 0;
  framesOut = 0;
  bytesOut = 0;

  constructor(
    readonly number: number,
    readonly name: string,
    readonly role: PortRole,
  ) {}
}

function portError(message: string, port: number): ConfigError<L2ErrorCode> {
  return new ConfigError<L2ErrorCode>('L2_PORT_RANGE', message, {
    details: { port },
    hint: `give each port a number of its own in 0..${MAX_PORTS - 1}`,
  });
}
