/**
 * Both sites' bridges and the fiber between them, in virtual time.
 *
 *   port ─► bridge A ─► fiber a→b ─► bridge B ─► port        (and back)
 *
 * The machines are the ones that `fabric/` drives in real time, and the order of things is that of
 * `fabric/frame-path.ts`. A frame is handed on by reference and never copied, but where packets of it were lost or
 * damaged: an ordinary frame then arrives in what pieces a receiver would get, and a `BulkFrame` tells which of its
 * packets did not come.
 */
import { type Frame, type Rng, WOKE } from '../core/index.js';
import { arrivalsOf } from '../fabric/arrivals.js';
import { SegmentMachines, STRETCH } from '../fabric/segment-machines.js';
import {
  accountingCloses,
  type Deliver,
  type Fiber,
  type FiberAction,
  type FiberChanged,
  type FiberCounters,
  type FiberFrameOffered,
  type FiberSettings,
  type LaneSettings,
  packetWireBytes,
  type Timeline,
  wireBytesOf,
} from '../fiber/index.js';
import type { Bridge, BridgeAction, BridgeCounters, BridgeFrameReceived, PortRole } from '../l2/index.js';
import type { TraceHash } from './trace-hash.js';
import { type VirtualTime, Waker } from './virtual-time.js';

export type SiteName = 'a' | 'b';

/** A frame that stands for several wire packets, and whose receiver wants to know which of them came. */
export interface BulkFrame extends Frame {
  readonly packets: number;
  /** Headers that each packet repeats, and the payload that each but the last carries. */
  readonly headerBytes: number;
  readonly packetPayloadBytes: number;
}

/** @param missing packets of a bulk frame that did not come whole, ascending; null when all did */
export type FrameSink = (frame: Frame, missing: readonly number[] | null) => void;

/** Told of frames that end before a port has them: lost, damaged beyond use, or dropped by a bridge. */
export type LossSink = (frame: Frame, why: string) => void;

interface Port {
  readonly site: SiteName;
  readonly role: PortRole;
  readonly sink: FrameSink;
}

export interface SegmentSettings {
  readonly fiber: FiberSettings;
  readonly timeline?: Timeline;
  /** Guest and client frames go ahead of vMotion's at the fiber. */
  readonly guestFirst: boolean;
  /** From a bridge's port to the station behind it. */
  readonly portNs: number;
}

export class StretchedSegment {
  readonly fiber: Fiber;
  readonly bridges: Readonly<Record<SiteName, Bridge>>;
  onLoss: LossSink = () => {};
  readonly #time: VirtualTime;
  readonly #trace: TraceHash;
  readonly #guestFirst: boolean;
  readonly #portNs: number;
  readonly #ports: (Port | undefined)[] = [undefined];
  readonly #waker: Waker;
  readonly #received: BridgeFrameReceived;
  readonly #offered: FiberFrameOffered;
  readonly #bridgeActions: BridgeAction[] = [];
  readonly #fiberActions: FiberAction[] = [];
  readonly #vmkWireBytes: Record<SiteName, number> = { a: 0, b: 0 };

  /** @param trace takes note of every frame that leaves the fiber */
  constructor(time: VirtualTime, settings: SegmentSettings, rng: Rng, trace: TraceHash) {
    this.#trace = trace;
    this.#time = time;
    this.#guestFirst = settings.guestFirst;
    this.#portNs = settings.portNs;
    const machines = new SegmentMachines(settings, rng, 0);
    this.fiber = machines.fiber;
    this.bridges = machines.bridges;
    this.#received = machines.received;
    this.#offered = machines.offered;
    this.#waker = new Waker(time, () => this.#release());
    this.#waker.mind(this.fiber.nextWakeNs());
  }

  /** Wire bytes that the vmk port of a site has put into the fiber. */
  vmkWireBytes(site: SiteName): number {
    return this.#vmkWireBytes[site];
  }

  /** @returns the port's number, for `send` */
  addPort(site: SiteName, name: string, role: PortRole, sink: FrameSink): number {
    const port = this.#ports.length;
    this.bridges[site].step(this.#time.nowNs, { type: 'port-added', port, name, role }, []);
    this.#ports.push({ site, role, sink });
    return port;
  }

  /** A station sends a frame by its port. The frame's bytes are not written from now on. */
  send(port: number, frame: Frame): void {
    this.#bridge(this.#ports[port]!.site, port, frame, null);
  }

  /** Changes the fiber while it runs. */
  change(direction: 'a-b' | 'b-a' | 'both', set: Partial<LaneSettings>): void {
    const change: FiberChanged = { type: 'changed', direction, set };
    this.fiber.step(this.#time.nowNs, change, this.#fiberActions);
    this.#carryOut();
  }

  /** Whether every frame is accounted for, in both lanes and both bridges. */
  closes(): boolean {
    const lanes: FiberCounters = this.fiber.counters();
    return (
      accountingCloses(lanes.aToB) &&
      accountingCloses(lanes.bToA) &&
      bridgeCloses(this.bridges.a.counters()) &&
      bridgeCloses(this.bridges.b.counters())
    );
  }

  #release(): void {
    this.fiber.step(this.#time.nowNs, WOKE, this.#fiberActions);
    this.#carryOut();
  }

  #bridge(site: SiteName, port: number, frame: Frame, missing: readonly number[] | null): void {
    const actions = this.#bridgeActions;
    const first = actions.length;
    this.#received.port = port;
    this.#received.frame = frame;
    this.bridges[site].step(this.#time.nowNs, this.#received, actions);
    for (let i = first; i < actions.length; i++) {
      const action = actions[i]!;
      if (action.type === 'forward') {
        if (action.port === STRETCH) this.#offer(site, port, frame);
        else this.#handOver(this.#ports[action.port]!, frame, missing);
      } else if (action.type === 'drop') this.onLoss(frame, action.reason);
    }
    while (actions.length > first) actions.pop();
  }

  /** Between hosts' stacks the costs stand elsewhere. */
  #handOver(port: Port, frame: Frame, missing: readonly number[] | null): void {
    if ('packets' in frame) port.sink(frame, missing);
    else this.#time.after(this.#portNs, () => port.sink(frame, missing));
  }

  #offer(site: SiteName, from: number, frame: Frame): void {
    const e = this.#offered;
    const bulk = 'packets' in frame ? (frame as BulkFrame) : null;
    const isVmk = this.#ports[from]?.role === 'vmk';
    e.direction = site === 'a' ? 'a-b' : 'b-a';
    e.frame = frame;
    e.trafficClass = this.#guestFirst && isVmk ? 1 : 0;
    e.packets = bulk?.packets ?? 1;
    e.wireBytes =
      bulk === null
        ? packetWireBytes(frame.length)
        : wireBytesOf(frame.length, bulk.packets, bulk.headerBytes, bulk.packetPayloadBytes);
    e.packetBytes =
      bulk === null || bulk.packets === 1 ? 0 : packetWireBytes(bulk.headerBytes + bulk.packetPayloadBytes);
    if (isVmk) this.#vmkWireBytes[site] += e.wireBytes;
    this.fiber.step(this.#time.nowNs, e, this.#fiberActions);
    this.#carryOut();
  }

  #carryOut(): void {
    const actions = this.#fiberActions.splice(0);
    this.#waker.mind(this.fiber.nextWakeNs());
    for (const action of actions) {
      if (action.type === 'deliver') this.#deliver(action);
      else this.onLoss(action.frame, action.reason);
    }
  }

  #deliver({ direction, frame, lost, corrupted, corruptSeed }: Deliver): void {
    const site = direction === 'a-b' ? 'b' : 'a';
    this.#trace.number(this.#time.nowNs);
    this.#trace.number(frame.length);
    if (lost === null && corrupted === null) return this.#bridge(site, STRETCH, frame, null);
    if ('packets' in frame) {
      // A damaged packet is refused by its checksum: to the stream it did not come.
      const missing = [...new Set([...(lost ?? []), ...(corrupted ?? [])])].sort((x, y) => x - y);
      if (missing.length < (frame as BulkFrame).packets) this.#bridge(site, STRETCH, frame, missing);
      return;
    }
    this.onLoss(frame, lost === null ? 'corrupted' : 'loss');
    for (const piece of arrivalsOf(frame, lost, corrupted, corruptSeed).frames)
      this.#bridge(site, STRETCH, piece, null);
  }
}

function bridgeCloses(b: BridgeCounters): boolean {
  const dropped = Object.values(b.drops).reduce((sum, n) => sum + n, 0);
  return b.framesIn === b.forwarded + b.flooded + b.suppressed + dropped;
}
