/**
 * The way of a frame between the ports: bridge, fiber, bridge. The machines decide; this carries out.
 *
 *   arrived ─► bridge of its site ─┬─► ports of the site
 *                                  └─► stretch ─► fiber ─(release)─► bridge of the other site ─► its ports
 *
 * Ownership: the caller of `arrived` keeps its reference and releases it; a frame in the fiber is held by one
 * reference of this file's; ports take their own (l2/ports/port.ts).
 * Longer than 400 lines: each machine's actions are carried out into the next one, on the hottest path there is.
 */
import { frameOf, type Rng, WOKE } from '../core/index.js';
import {
  bottleneckBps,
  type Deliver,
  describeFiber,
  type Fiber,
  type FiberAction,
  type FiberChanged,
  type FiberFrameOffered,
  packetWireBytes,
  wireBytesOf,
} from '../fiber/index.js';
import {
  type Bridge,
  type BridgeAction,
  type BridgeFrameReceived,
  cutInto,
  headerLength,
  type PortOptions,
  packetsOf,
  pieceBytes,
  retag,
  retaggedLength,
  type TagAction,
} from '../l2/index.js';
import { type FrameIo, PooledFrame } from '../l2/ports/index.js';
import { nowNs } from '../sys/index.js';
import { arrivalsOf } from './arrivals.js';
import { LatenessRecorder } from './lateness.js';
import type { FabricSettings, PathCounters, PortRole, SiteName } from './messages.js';
import type { FrameTap } from './recording/frame-tap.js';
import { bridgeVerdict, entryVerdict, isRefusal, tapMissing } from './recording/verdicts.js';
import { SegmentMachines, STRETCH } from './segment-machines.js';

/** A super-frame whose serialisation takes longer than this is cut at the fiber's entry. */
export const MAX_SERIALISATION_NS = 50_000;
/** What a frame can be sent by. */
export interface Egress {
  /** Takes a reference of its own. */
  send(frame: PooledFrame): void;
}

/** A port as the path sees it. */
export interface PathPort {
  readonly role: PortRole;
  readonly egress: Egress;
  /** Told of what goes into the fiber from here, in wire bytes. */
  countWireBytes(bytes: number): void;
}

/** An address that a bridge found at two ports too often. */
export interface DuplicateMac {
  readonly site: SiteName;
  readonly mac: number;
  readonly keptPort: number;
  readonly refusedPort: number;
}

export class FramePath {
  readonly bridges: Readonly<Record<SiteName, Bridge>>;
  readonly fiber: Fiber;
  readonly lateness = new LatenessRecorder();
  readonly #io: FrameIo;
  readonly #vmotionLast: boolean;
  readonly #onDuplicateMac: (found: DuplicateMac) => void;
  readonly #ports: (PathPort | undefined)[] = [];
  readonly #received: BridgeFrameReceived;
  readonly #offered: FiberFrameOffered;
  readonly #bridgeActions: BridgeAction[] = [];
  readonly #fiberActions: FiberAction[] = [];
  readonly #entryRateBps: Record<SiteName, number> = { a: 0, b: 0 };
  /** The latest instant that the machines were told: theirs never goes back. */
  #latestNs: number;
  /** The fiber's next wake-up, which only its steps change: a thread that spins asks a million times a second. */
  #wakeNs = Number.POSITIVE_INFINITY;
  /** What a recording sees; null when there is none. */
  #tap: FrameTap | null = null;
  /** When the frame that leaves the fiber was due. */
  #dueNs = 0;
  #cutAtEntry = 0;
  #cutAroundLoss = 0;
  #damaged = 0;
  #refusedByFcs = 0;

  /** @throws ConfigError of the bridges' options */
  constructor(
    settings: FabricSettings,
    rng: Rng,
    io: FrameIo,
    onDuplicateMac: (found: DuplicateMac) => void,
  ) {
    this.#io = io;
    this.#vmotionLast = settings.qos === 'guest-first';
    this.#onDuplicateMac = onDuplicateMac;
    this.#latestNs = nowNs();
    const machines = new SegmentMachines(settings, rng, this.#latestNs);
    this.fiber = machines.fiber;
    this.bridges = machines.bridges;
    this.#received = machines.received;
    this.#offered = machines.offered;
    this.#learnRate();
    this.#wakeNs = this.fiber.nextWakeNs();
  }

  /** @throws ConfigError `L2_PORT_OPTIONS`, and then has not added it */
  addPort(site: SiteName, id: number, name: string, port: PathPort, options?: PortOptions): void {
    const event = { type: 'port-added', port: id, name, role: port.role } as const;
    this.bridges[site].step(this.#now(), options === undefined ? event : { ...event, options }, []);
    this.#ports[id] = port;
  }

  removePort(site: SiteName, id: number): void {
    this.bridges[site].step(this.#now(), { type: 'port-removed', port: id }, []);
    this.#ports[id] = undefined;
  }

  /** The next move of this address is the lab's doing, not a duplicate's. */
  expectMove(mac: number): void {
    for (const site of ['a', 'b'] as const) {
      this.bridges[site].step(this.#now(), { type: 'move-expected', mac }, []);
    }
  }

  /** Records from here on; null ends it. */
  record(tap: FrameTap | null): void {
    this.#tap = tap;
  }

  /** The latest instant that the machines were told. */
  get latestNs(): number {
    return this.#latestNs;
  }

  /** A frame came in by a port. @param enteredNs when it did, at most the present instant */
  arrived(site: SiteName, port: number, frame: PooledFrame, enteredNs: number): void {
    if (this.#tap !== null) frame.packetId = this.#tap.nextId();
    this.#bridge(site, port, frame, Math.min(enteredNs, this.#latestNs));
  }

  changeFiber(change: FiberChanged): void {
    this.fiber.step(this.#now(), change, this.#fiberActions);
    this.#wakeNs = this.fiber.nextWakeNs();
    this.#carryOut();
    this.#learnRate();
    this.#tellChange();
  }

  /** When the fiber next has something to release; Infinity when it is empty. */
  nextWakeNs(): number {
    return this.#wakeNs;
  }

  /** Lets out of the fiber all that is due, and writes it. @param atNs the present instant */
  release(atNs: number): void {
    if (atNs > this.#latestNs) this.#latestNs = atNs;
    if (this.#wakeNs > this.#latestNs) return;
    const { changes } = this.fiber;
    this.fiber.step(this.#latestNs, WOKE, this.#fiberActions);
    this.#wakeNs = this.fiber.nextWakeNs();
    if (this.fiber.changes !== changes) {
      this.#learnRate();
      this.#tellChange();
    }
    this.#carryOut();
    if (this.lateness.isPending) this.flush();
  }

  /** Writes what the ports have queued. */
  flush(): void {
    if (!this.lateness.isPending) {
      if (this.#tap !== null) this.#tap.writeBegins(nowNs());
      this.#io.flush();
      return;
    }
    const before = nowNs();
    if (this.#tap !== null) this.#tap.writeBegins(before);
    this.lateness.writeBegins(before);
    this.#io.flush();
    this.lateness.writeEnded(nowNs() - before);
  }

  counters(): PathCounters {
    return {
      cutAtEntry: this.#cutAtEntry,
      cutAroundLoss: this.#cutAroundLoss,
      damaged: this.#damaged,
      refusedByFcs: this.#refusedByFcs,
    };
  }

  #now(): number {
    this.#latestNs = Math.max(this.#latestNs, nowNs());
    return this.#latestNs;
  }

  /** Gives a frame to a site's bridge and carries out what it decides. */
  #bridge(site: SiteName, port: number, frame: PooledFrame, enteredNs: number): void {
    const actions = this.#bridgeActions;
    const first = actions.length;
    this.#received.port = port;
    this.#received.frame = frame;
    this.bridges[site].step(this.#latestNs, this.#received, actions);
    if (this.#tap !== null) this.#tapArrival(this.#tap, site, port, frame, first, enteredNs);
    for (let i = first; i < actions.length; i++) {
      const action = actions[i]!;
      switch (action.type) {
        case 'forward':
          if (action.tag === 'keep') this.#sendBy(site, action.port, port, frame, enteredNs);
          else this.#sendRetagged(site, action.port, port, frame, action.tag, enteredNs);
          break;
        case 'reply': {
          const reply = this.#io.pool.copyOf(frameOf(action.bytes));
          if (this.#tap !== null) reply.packetId = this.#tap.nextId();
          this.#sendBy(site, action.port, STRETCH, reply, enteredNs);
          this.#io.pool.release(reply);
          break;
        }
        case 'duplicate-detected':
          this.#onDuplicateMac({ site, ...action });
          break;
        case 'drop':
          break; // the bridge has counted it
      }
    }
    // pop keeps the array's store, which `length = 0` would give back and allocate anew for every frame.
    while (actions.length > first) actions.pop();
  }

  /** @param from the port that it came by, whose class it has in the fiber */
  #sendBy(site: SiteName, port: number, from: number, frame: PooledFrame, enteredNs: number): void {
    if (port === STRETCH) this.#offer(site, from, frame, enteredNs);
    else this.#ports[port]?.egress.send(frame);
  }

  #sendRetagged(
    site: SiteName,
    port: number,
    from: number,
    frame: PooledFrame,
    tag: TagAction,
    enteredNs: number,
  ): void {
    const { pool } = this.#io;
    const copy = pool.take(retaggedLength(frame, tag));
    copy.packetId = frame.packetId;
    retag(frame, tag, copy);
    copy.writeHeader();
    this.#sendBy(site, port, from, copy, enteredNs);
    pool.release(copy);
  }

  /** Offers a frame to the fiber, cut where its serialisation alone would take too long. */
  #offer(site: SiteName, from: number, frame: PooledFrame, enteredNs: number): void {
    const packets = packetsOf(frame);
    if (packets > 1) {
      const packetNs =
        (packetWireBytes(headerLength(frame) + frame.offload.gsoSize) * 8e9) / this.#entryRateBps[site];
      const most = Math.max(1, Math.floor(MAX_SERIALISATION_NS / packetNs));
      if (packets > most) {
        this.#cutAtEntry++;
        const { pool } = this.#io;
        for (let at = 0; at < packets; at += most) {
          const count = Math.min(most, packets - at);
          const piece = this.#piece(frame, at, count);
          this.#offerWhole(site, from, piece, count, enteredNs);
          pool.release(piece);
        }
        return;
      }
    }
    this.#offerWhole(site, from, frame, packets, enteredNs);
  }

  #offerWhole(site: SiteName, from: number, frame: PooledFrame, packets: number, enteredNs: number): void {
    const e = this.#offered;
    const port = this.#ports[from];
    e.direction = site === 'a' ? 'a-b' : 'b-a';
    e.frame = frame;
    e.trafficClass = this.#vmotionLast && port?.role === 'vmk' ? 1 : 0;
    e.packets = packets;
    const headers = packets > 1 ? headerLength(frame) : 0;
    e.packetBytes = packets > 1 ? packetWireBytes(headers + frame.offload.gsoSize) : 0;
    e.wireBytes = wireBytesOf(frame.length, packets, headers, frame.offload.gsoSize);
    e.enteredNs = enteredNs;
    port?.countWireBytes(e.wireBytes);
    this.#io.pool.retain(frame);
    this.fiber.step(this.#latestNs, e, this.#fiberActions);
    this.#wakeNs = this.fiber.nextWakeNs();
    if (this.#tap !== null) {
      const reason = entryVerdict(this.#fiberActions, frame, this.#spans);
      this.#tap.entered(site, enteredNs, frame, frame.packetId, reason);
    }
    if (this.#fiberActions.length > 0) this.#carryOut(frame);
  }

  /** @param offered the frame whose refusal the entry of the fiber has on record */
  #carryOut(offered: PooledFrame | null = null): void {
    const actions = this.#fiberActions;
    for (let i = 0; i < actions.length; i++) {
      const action = actions[i]!;
      if (action.type === 'deliver') this.#deliver(action);
      else if (this.#tap !== null && !(action.frame === offered && isRefusal(action, this.#spans))) {
        const frame = action.frame as PooledFrame;
        this.#tap.left(farSiteOf(action), this.#latestNs, frame, frame.packetId, action.reason);
      }
      if (action.last) this.#io.pool.release(action.frame as PooledFrame);
    }
    while (actions.length > 0) actions.pop();
  }

  #deliver(action: Deliver): void {
    const site = farSiteOf(action);
    const frame = action.frame as PooledFrame;
    this.#dueNs = action.dueNs;
    if (this.lateness.isFull) this.flush();
    this.lateness.released(action.dueNs);
    if (action.lost === null && action.corrupted === null) {
      this.#bridge(site, STRETCH, frame, this.#latestNs);
      return;
    }
    const pieces: PooledFrame[] = [];
    const { frames, damaged, refusedByFcs } = arrivalsOf(
      frame,
      action.lost,
      action.corrupted,
      action.corruptSeed,
      (whole, first, count) => {
        if (count === packetsOf(whole)) return whole;
        const piece = this.#piece(frame, first, count);
        pieces.push(piece);
        return piece;
      },
    );
    if (action.lost !== null) this.#cutAroundLoss++;
    this.#damaged += damaged;
    this.#refusedByFcs += refusedByFcs.length;
    if (this.#tap !== null) tapMissing(this.#tap, site, action, frame.packetId, refusedByFcs);
    for (const piece of frames) {
      let pooled = piece as PooledFrame;
      if (!(piece instanceof PooledFrame)) {
        pooled = this.#io.pool.copyOf(piece);
        pooled.packetId = frame.packetId;
        pieces.push(pooled);
      }
      this.#bridge(site, STRETCH, pooled, this.#latestNs);
    }
    for (const piece of pieces) this.#io.pool.release(piece);
  }

  /** A piece of a super-frame in memory of the pool's: bytes outside of it would be garbage of 64 KiB a piece. */
  #piece(frame: PooledFrame, first: number, count: number): PooledFrame {
    const piece = this.#io.pool.take(pieceBytes(frame, first, count));
    cutInto(frame, first, count, piece);
    piece.writeHeader();
    piece.packetId = frame.packetId;
    return piece;
  }

  // ── what a recording sees ───────────────────────────────────────────────────────────────────────

  /** A frame came in, and the bridge has decided: its actions begin at `first`. */
  #tapArrival(
    tap: FrameTap,
    site: SiteName,
    port: number,
    frame: PooledFrame,
    first: number,
    enteredNs: number,
  ): void {
    const reason = bridgeVerdict(this.#bridgeActions, first);
    if (port === STRETCH) tap.left(site, this.#dueNs, frame, frame.packetId, reason);
    else tap.arrived(port, enteredNs, frame, frame.packetId, reason);
  }

  get #spans(): number {
    return this.fiber.settings.spans.length;
  }

  #tellChange(): void {
    if (this.#tap === null) return;
    this.#tap.event(this.#latestNs, `the fiber changed: ${describeFiber(this.fiber.settings).join('; ')}`);
  }

  /** The slowest span decides how long a super-frame is on the wire. */
  #learnRate(): void {
    this.#entryRateBps.a = bottleneckBps(this.fiber.settings, 'a-b');
    this.#entryRateBps.b = bottleneckBps(this.fiber.settings, 'b-a');
  }
}

/** The site at which what goes this way comes out. */
function farSiteOf({ direction }: FiberAction): SiteName {
  return direction === 'a-b' ? 'b' : 'a';
}
