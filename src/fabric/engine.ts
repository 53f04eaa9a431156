/**
 * The fabric: both sites' bridges and the fiber between them, driven in real time by one thread.
 *
 *   port ─► bridge A ─► fiber a→b ─► bridge B ─► port        (and back)
 *
 * The loop: wait (ppoll) for frames or for the next release ─ take frames in ─ release what is due. It
 * sleeps to the nanosecond, spins only in the last 100 µs before a deadline, and is asleep when nothing is in
 * flight. Releases come before intake at every step, so that a burst at one port delays no frame in the fiber
 * by more than one read.
 *
 * Left out on purpose: any decision about a frame. The bridges and the fiber decide; this carries it out.
 */
import { build, type Histogram } from 'hdr-histogram-js';
import { frameOf, type LonghaulError, messageOf, Rng, WOKE } from '../core/index.js';
import {
  bottleneckBps,
  Fiber,
  type FiberAction,
  type FiberFrameOffered,
  packetWireBytes,
  wireBytesOf,
} from '../fiber/index.js';
import {
  Bridge,
  type BridgeAction,
  type BridgeFrameReceived,
  cut,
  cutAround,
  headerLength,
  packetsOf,
} from '../l2/index.js';
import { FramePool, type FramePort, NioUdpPort, type PooledFrame, VnetPort } from '../l2/ports/index.js';
import { Doorbell, nowNs, POLLERR, POLLHUP, POLLIN, POLLNVAL, PollSet, sharpenTimers } from '../sys/index.js';
import type {
  FabricReply,
  FabricRequest,
  FabricSettings,
  FabricSnapshot,
  PortCounters,
  PortSpec,
  SiteName,
} from './messages.js';

/** How long before a release the thread stops sleeping: a timed wake-up is 40 µs late here, at times 90. */
const SPIN_BEFORE_NS = 100_000;
/** A super-frame whose serialisation takes longer than this is cut at the fiber's entry. */
const MAX_SERIALISATION_NS = 50_000;
/** Frames taken from one port before the others have their turn. */
const BATCH = 32;
/** The bridge port that leads to the fiber. */
const STRETCH = 0;

interface Attached {
  readonly id: number;
  readonly spec: PortSpec;
  readonly port: FramePort;
  readonly slot: number;
  readonly counters: PortCounters;
}

export class Engine {
  readonly #settings: FabricSettings;
  readonly #pool = new FramePool();
  readonly #polls = new PollSet(128);
  readonly #bell: Doorbell;
  readonly #bellSlot: number;
  readonly #bridges: Readonly<Record<SiteName, Bridge>>;
  readonly #fiber: Fiber;
  readonly #ports: (Attached | undefined)[] = [undefined];
  readonly #retired: PortCounters[] = [];
  readonly #lateness: Histogram = build({
    lowestDiscernibleValue: 1,
    highestTrackableValue: 60e9,
    numberOfSignificantValueDigits: 3,
  });
  readonly #reply: (reply: FabricReply) => void;
  readonly #received: BridgeFrameReceived;
  readonly #offered: FiberFrameOffered;
  readonly #bridgeActions: BridgeAction[] = [];
  readonly #fiberActions: FiberAction[] = [];
  #ingress: Attached | null = null;
  readonly #entryRateBps: Record<SiteName, number> = { a: 0, b: 0 };
  #cutAtEntry = 0;
  #cutAroundLoss = 0;
  #stopping = false;

  constructor(settings: FabricSettings, bellFd: number, reply: (reply: FabricReply) => void) {
    this.#settings = settings;
    this.#reply = reply;
    this.#bell = new Doorbell(bellFd);
    this.#bellSlot = this.#polls.add(bellFd, POLLIN);
    this.#bridges = { a: new Bridge(), b: new Bridge() };
    this.#fiber = new Fiber(settings.fiber, new Rng(settings.seed));
    for (const site of ['a', 'b'] as const) {
      this.#bridges[site].step(
        nowNs(),
        { type: 'port-added', port: STRETCH, name: 'stretch', role: 'stretch' },
        [],
      );
    }
    const none = frameOf(new Uint8Array(0));
    this.#received = { type: 'frame-received', port: 0, frame: none };
    this.#offered = {
      type: 'frame-offered',
      direction: 'a-b',
      frame: none,
      trafficClass: 0,
      packets: 1,
      wireBytes: 0,
      packetBytes: 0,
    };
    this.#learnRate();
  }

  /** Runs until a `stop` request. `takeRequests` is asked whenever the doorbell rang. */
  run(takeRequests: () => FabricRequest[]): void {
    sharpenTimers();
    while (!this.#stopping) this.turn(takeRequests);
    for (const attached of this.#ports) if (attached) this.#detach(attached);
  }

  /** One turn of the loop: waits, lets out what is due, takes in what has come. */
  turn(takeRequests: () => FabricRequest[]): void {
    const { spin } = this.#settings;
    const wakeNs = this.#fiber.nextWakeNs();
    let timeoutNs = Number.POSITIVE_INFINITY;
    if (spin === 'always') timeoutNs = 0;
    else if (wakeNs !== Number.POSITIVE_INFINITY) {
      timeoutNs = Math.max(0, wakeNs - nowNs() - (spin === 'deadline' ? SPIN_BEFORE_NS : 0));
    }
    const ready = this.#polls.wait(timeoutNs);
    this.#release();
    if (ready === 0) return;
    if (this.#polls.ready(this.#bellSlot) !== 0) {
      this.#bell.quiet();
      for (const request of takeRequests()) this.handle(request);
    }
    for (let id = 1; id < this.#ports.length; id++) {
      const attached = this.#ports[id];
      if (attached && this.#polls.ready(attached.slot) !== 0) this.#takeIn(attached);
    }
  }

  #takeIn(attached: Attached): void {
    const events = this.#polls.ready(attached.slot);
    this.#ingress = attached;
    for (let taken = 0; taken < BATCH; taken++) {
      const n = attached.port.receive(this.#pool, 1, this.#onFrame);
      if (n < 0 || (n === 0 && taken === 0 && (events & POLLNVAL) !== 0)) {
        this.#lose(attached);
        return;
      }
      if (n === 0) {
        if (taken === 0 && (events & (POLLERR | POLLHUP)) === (POLLERR | POLLHUP)) this.#lose(attached);
        return;
      }
      this.#release();
      this.#ingress = attached;
    }
  }

  readonly #onFrame = (frame: PooledFrame): void => {
    const from = this.#ingress!;
    from.counters.framesIn++;
    from.counters.bytesIn += frame.length;
    this.#bridge(from.spec.site, from.id, frame, nowNs());
    this.#pool.release(frame);
  };

  /** Gives a frame to a site's bridge and carries out what it decides. */
  #bridge(site: SiteName, port: number, frame: PooledFrame, atNs: number): void {
    const actions = this.#bridgeActions;
    const first = actions.length;
    this.#received.port = port;
    this.#received.frame = frame;
    this.#bridges[site].step(atNs, this.#received, actions);
    for (let i = first; i < actions.length; i++) {
      const action = actions[i]!;
      if (action.type !== 'forward') continue; // drops are counted by the bridge
      if (action.port === STRETCH) this.#offer(site, port, frame, atNs);
      else this.#transmit(action.port, frame);
    }
    // pop keeps the array's store, which `length = 0` would give back and allocate anew for every frame.
    while (actions.length > first) actions.pop();
  }

  #transmit(port: number, frame: PooledFrame): void {
    const to = this.#ports[port];
    if (!to) return;
    switch (to.port.send(frame)) {
      case 'sent':
        to.counters.framesOut++;
        to.counters.bytesOut += frame.length;
        break;
      case 'busy':
        to.counters.busy++;
        break;
      case 'too-long':
        to.counters.tooLong++;
        break;
      case 'gone':
        to.counters.gone++;
        break;
    }
  }

  /** Offers a frame to the fiber, cut where its serialisation alone would take too long. */
  #offer(site: SiteName, port: number, frame: PooledFrame, atNs: number): void {
    const packets = packetsOf(frame);
    if (packets > 1) {
      const packetNs =
        (packetWireBytes(headerLength(frame) + frame.offload.gsoSize) * 8e9) / this.#entryRateBps[site];
      const most = Math.max(1, Math.floor(MAX_SERIALISATION_NS / packetNs));
      if (packets > most) {
        this.#cutAtEntry++;
        for (let at = 0; at < packets; at += most) {
          const piece = this.#pool.copyOf(cut(frame, at, Math.min(most, packets - at)));
          this.#offerWhole(site, port, piece, packetsOf(piece), atNs);
          this.#pool.release(piece);
        }
        return;
      }
    }
    this.#offerWhole(site, port, frame, packets, atNs);
  }

  #offerWhole(site: SiteName, port: number, frame: PooledFrame, packets: number, atNs: number): void {
    const e = this.#offered;
    const vmotion = this.#ports[port]?.spec.role === 'vmk' && this.#settings.qos === 'guest-first';
    e.direction = site === 'a' ? 'a-b' : 'b-a';
    e.frame = frame;
    e.trafficClass = vmotion ? 1 : 0;
    e.packets = packets;
    const headers = packets > 1 ? headerLength(frame) : 0;
    e.packetBytes = packets > 1 ? packetWireBytes(headers + frame.offload.gsoSize) : 0;
    e.wireBytes = wireBytesOf(frame.length, packets, headers, frame.offload.gsoSize);
    const from = this.#ports[port];
    if (from) from.counters.wireBytesIn += e.wireBytes;
    this.#pool.retain(frame);
    this.#fiber.step(atNs, e, this.#fiberActions);
    if (this.#fiberActions.length > 0) this.#carryOut();
  }

  /** Lets out of the fiber all that is due. */
  #release(): void {
    if (this.#fiber.nextWakeNs() === Number.POSITIVE_INFINITY) return;
    const now = nowNs();
    if (this.#fiber.nextWakeNs() > now) return;
    this.#fiber.step(now, WOKE, this.#fiberActions);
    this.#carryOut();
  }

  #carryOut(): void {
    const actions = this.#fiberActions;
    for (let i = 0; i < actions.length; i++) {
      const action = actions[i]!;
      const frame = action.frame as PooledFrame;
      if (action.type === 'deliver') {
        const site = action.direction === 'a-b' ? 'b' : 'a';
        const now = nowNs();
        this.#lateness.recordValue(Math.max(0, now - action.dueNs));
        if (action.lost === null) {
          this.#bridge(site, STRETCH, frame, now);
        } else {
          this.#cutAroundLoss++;
          for (const piece of cutAround(frame, action.lost)) {
            const pooled = this.#pool.copyOf(piece);
            this.#bridge(site, STRETCH, pooled, now);
            this.#pool.release(pooled);
          }
        }
      }
      this.#pool.release(frame);
    }
    while (actions.length > 0) actions.pop();
  }

  /** The slowest span decides how long a super-frame is on the wire. */
  #learnRate(): void {
    this.#entryRateBps.a = bottleneckBps(this.#fiber.settings, 'a-b');
    this.#entryRateBps.b = bottleneckBps(this.#fiber.settings, 'b-a');
  }

  /** Carries out one request and answers it. */
  handle(request: FabricRequest): void {
    try {
      switch (request.type) {
        case 'add-port':
          this.#attach(request.port);
          break;
        case 'remove-port': {
          const attached = this.#ports.find((p) => p?.spec.name === request.name);
          if (attached) this.#detach(attached);
          break;
        }
        case 'change-fiber':
          this.#fiber.step(
            nowNs(),
            { type: 'changed', direction: request.direction, set: request.set },
            this.#fiberActions,
          );
          this.#carryOut();
          this.#learnRate();
          break;
        case 'snapshot':
          this.#reply({ type: 'snapshot', id: request.id, snapshot: this.#snapshot() });
          return;
        case 'stop':
          this.#stopping = true;
          break;
      }
      this.#reply({ type: 'done', id: request.id });
    } catch (e) {
      this.#reply({
        type: 'failed',
        id: request.id,
        code: (e as LonghaulError).code ?? 'FABRIC_FAILED',
        text: messageOf(e),
      });
    }
  }

  #attach(spec: PortSpec): void {
    const id = this.#ports.length;
    const port =
      spec.kind === 'nio-udp'
        ? new NioUdpPort(spec.name, spec.fd, this.#pool)
        : new VnetPort(spec.name, spec.fd);
    const counters: PortCounters = {
      name: spec.name,
      site: spec.site,
      role: spec.role,
      framesIn: 0,
      bytesIn: 0,
      wireBytesIn: 0,
      framesOut: 0,
      bytesOut: 0,
      busy: 0,
      tooLong: 0,
      gone: 0,
    };
    this.#ports.push({ id, spec, port, slot: this.#polls.add(spec.fd, POLLIN), counters });
    this.#bridges[spec.site].step(
      nowNs(),
      { type: 'port-added', port: id, name: spec.name, role: spec.role },
      [],
    );
  }

  #detach(attached: Attached): void {
    this.#bridges[attached.spec.site].step(nowNs(), { type: 'port-removed', port: attached.id }, []);
    this.#polls.remove(attached.slot);
    this.#ports[attached.id] = undefined;
    this.#retired.push(attached.counters);
    attached.port.close();
  }

  #lose(attached: Attached): void {
    this.#detach(attached);
    this.#reply({ type: 'port-gone', name: attached.spec.name });
  }

  #snapshot(): FabricSnapshot {
    const h = this.#lateness;
    return {
      ports: [...this.#retired, ...this.#ports.flatMap((p) => (p ? [p.counters] : []))].map((c) => ({
        ...c,
      })),
      bridges: { a: this.#bridges.a.counters(), b: this.#bridges.b.counters() },
      fiber: this.#fiber.counters(),
      lateness: {
        p50Ns: h.getValueAtPercentile(50),
        p99Ns: h.getValueAtPercentile(99),
        p999Ns: h.getValueAtPercentile(99.9),
        maxNs: h.maxValue,
        count: h.totalCount,
      },
      cutAtEntry: this.#cutAtEntry,
      cutAroundLoss: this.#cutAroundLoss,
      poolBytes: this.#pool.bytes,
    };
  }
}
