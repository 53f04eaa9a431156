/**
 * The fabric: both sites' bridges and the fiber between them, driven in real time by one thread.
 *
 *   port ─► bridge A ─► fiber a→b ─► bridge B ─► port        (and back)
 *
 * The loop: wait (ppoll) for frames or for the next release ─ release what is due ─ take frames in ─ write. It
 * sleeps to the nanosecond, spins only in the last 100 µs before a deadline, and is asleep when nothing is in
 * flight. One that is not to spin works by the beat when much passes (beat.ts). Releases come before intake at every
 * step, so that a burst at one port delays no frame in the fiber by more than a few reads.
 *
 * A frame enters the fiber when it reached this machine's kernel, not when this thread has got round to it:
 * a packet socket says when (l2/ports/), of other ports it is when the wait that found it waiting was over.
 *
 * Left out on purpose: any decision about a frame (the machines') and carrying it out (frame-path.ts).
 */
import { availableParallelism } from 'node:os';
import { LonghaulError, messageOf, Rng } from '../core/index.js';
import { formatMac } from '../l2/index.js';
import {
  FrameIo,
  FramePool,
  type FramePort,
  NioUdpPort,
  type PooledFrame,
  type SendTally,
  VnetPort,
  VxlanPort,
} from '../l2/ports/index.js';
import { Doorbell, nowNs, POLLERR, POLLHUP, POLLIN, POLLNVAL, PollSet, sharpenTimers } from '../sys/index.js';
import { Beat } from './beat.js';
import { FramePath } from './frame-path.js';
import type {
  FabricReply,
  FabricRequest,
  FabricSettings,
  FabricSnapshot,
  MacSeen,
  PortCounters,
  PortSpec,
  SiteName,
} from './messages.js';
import { FrameTap } from './recording/frame-tap.js';
import { STRETCH } from './segment-machines.js';

/** How long before a release the thread stops sleeping: a timed wake-up is 40 µs late here, at times 90. */
const SPIN_BEFORE_NS = 100_000;
/** How long before a release it looks at nothing but the clock: asking for frames takes about a microsecond. */
const STARE_BEFORE_NS = 5_000;
/** With as many, a thread that spins takes from nobody. */
const MANY_CORES = 4;
/** A sleep that is shorter than this is not worth two changes of thread. */
const SHORTEST_SLEEP_NS = 5_000;
/** Frames taken from one port before the others have their turn. */
const BATCH = 64;
/** Frames of a batch handled before the fiber is asked again what is due. A power of two. */
const RELEASE_EVERY = 16;

interface Attached {
  readonly id: number;
  readonly spec: PortSpec;
  readonly port: FramePort;
  readonly slot: number;
  readonly counters: PortCounters;
  /** What waited in its socket before then enters the fiber then. */
  readonly sinceNs: number;
}

export class Engine {
  readonly #sleeps: boolean;
  /** How long before a release it stops sleeping. */
  readonly #spinBeforeNs: number;
  readonly #pool = new FramePool();
  readonly #io = new FrameIo(this.#pool);
  readonly #polls = new PollSet(128);
  /** Nothing to wait for but the time. */
  readonly #nothing = new PollSet(1);
  readonly #beat: Beat;
  readonly #bell: Doorbell;
  readonly #bellSlot: number;
  readonly #path: FramePath;
  /** By bridge port number; 0 is the stretch, a port that went leaves a hole. */
  readonly #ports: (Attached | undefined)[] = [undefined];
  /** The same numbers, by who sends. */
  readonly #idOf = new Map<object, number>();
  readonly #retired: PortCounters[] = [];
  readonly #reply: (reply: FabricReply) => void;
  /** What a recording sees; null when there is none. */
  #tap: FrameTap | null = null;
  #ingress: Attached | null = null;
  #handled = 0;
  /** When the last wait was over: what it found had come by then. */
  #polledNs = 0;
  #stopping = false;

  /** @throws ConfigError of the bridges' options */
  constructor(settings: FabricSettings, bellFd: number, reply: (reply: FabricReply) => void) {
    this.#sleeps = settings.spin !== 'always';
    this.#spinBeforeNs = settings.spin === 'never' ? 0 : SPIN_BEFORE_NS;
    this.#beat = new Beat(settings.spin === 'never' && availableParallelism() < MANY_CORES);
    this.#reply = reply;
    this.#bell = new Doorbell(bellFd);
    this.#bellSlot = this.#polls.add(bellFd, POLLIN);
    this.#path = new FramePath(settings, new Rng(settings.seed), this.#io, ({ site, mac, ...ports }) =>
      reply({
        type: 'mac-duplicate',
        found: {
          site,
          mac: formatMac(mac),
          keptPort: this.#nameOf(ports.keptPort),
          refusedPort: this.#nameOf(ports.refusedPort),
        },
      }),
    );
  }

  /** Runs until a `stop` request. `takeRequests` is asked whenever the doorbell rang. */
  run(takeRequests: () => FabricRequest[]): void {
    sharpenTimers();
    while (!this.#stopping) this.turn(takeRequests);
    for (const attached of this.#ports) if (attached) this.#detach(attached);
    this.#io.close();
  }

  /** One turn of the loop: waits, lets out what is due, takes in what has come. */
  turn(takeRequests: () => FabricRequest[]): void {
    const ready = this.#wait();
    this.#path.release(this.#polledNs);
    if (ready === 0) return;
    if (this.#polls.ready(this.#bellSlot) !== 0) {
      this.#bell.quiet();
      for (const request of takeRequests()) this.handle(request);
    }
    for (let id = 1; id < this.#ports.length; id++) {
      const attached = this.#ports[id];
      if (attached && this.#polls.ready(attached.slot) !== 0) this.#takeIn(attached);
    }
    this.#path.flush();
  }

  /** Waits for frames, requests or the next release. @returns how many descriptors have something */
  #wait(): number {
    const beatNs = this.#beat.nextNs(this.#polledNs);
    if (beatNs !== 0) return this.#waitForBeat(beatNs);
    const wakeNs = this.#path.nextWakeNs();
    let timeoutNs = 0;
    if (this.#sleeps) {
      // By the clock as it was a moment ago: whoever spins reads it once a turn.
      timeoutNs = wakeNs - this.#polledNs - this.#spinBeforeNs;
      if (timeoutNs > 0 && timeoutNs !== Number.POSITIVE_INFINITY) {
        timeoutNs = wakeNs - nowNs() - this.#spinBeforeNs;
      }
    }
    const ready = this.#polls.wait(timeoutNs);
    this.#polledNs = nowNs();
    if (ready === 0 && this.#spinBeforeNs > 0 && wakeNs - this.#polledNs < STARE_BEFORE_NS) {
      while (this.#polledNs < wakeNs) this.#polledNs = nowNs();
    }
    return ready;
  }

  /** No arrival wakes it: that would cost whoever sends as much as it costs us. */
  #waitForBeat(beatNs: number): number {
    const leftNs = beatNs - nowNs();
    if (leftNs > SHORTEST_SLEEP_NS) this.#nothing.wait(leftNs);
    const ready = this.#polls.wait(0);
    this.#polledNs = nowNs();
    return ready;
  }

  #takeIn(attached: Attached): void {
    const events = this.#polls.ready(attached.slot);
    this.#ingress = attached;
    this.#handled = 0;
    const n = attached.port.receive(BATCH, this.#onFrame);
    const dead = (events & POLLNVAL) !== 0 || (events & (POLLERR | POLLHUP)) === (POLLERR | POLLHUP);
    if (n < 0 || (n === 0 && dead)) this.#lose(attached);
  }

  readonly #onFrame = (frame: PooledFrame): void => {
    const from = this.#ingress!;
    from.counters.framesIn++;
    from.counters.bytesIn += frame.length;
    this.#beat.passed(frame.length);
    if ((this.#handled++ & (RELEASE_EVERY - 1)) === 0) this.#path.release(nowNs());
    const enteredNs = frame.arrivedNs === 0 ? this.#polledNs : Math.max(frame.arrivedNs, from.sinceNs);
    this.#path.arrived(from.spec.site, from.id, frame, enteredNs);
    this.#pool.release(frame);
  };

  /** Carries out one request and answers it. */
  handle(request: FabricRequest): void {
    const { id } = request;
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
        case 'change-fiber': {
          const { direction, set, span } = request;
          this.#path.changeFiber({
            type: 'changed',
            direction,
            set,
            ...(span === undefined ? {} : { span }),
          });
          break;
        }
        case 'expect-move':
          this.#path.expectMove(request.mac);
          break;
        case 'macs': {
          const { limit } = request;
          this.#reply({ type: 'macs', id, macs: { a: this.#macs('a', limit), b: this.#macs('b', limit) } });
          return;
        }
        case 'forget-lateness':
          this.#path.lateness.forget();
          break;
        case 'record':
          this.#record(new FrameTap(request.memory, request.snapBytes));
          break;
        case 'stop-recording': {
          this.#path.flush();
          const tallies = this.#tap?.tallies() ?? [];
          this.#record(null);
          this.#reply({ type: 'recorded', id, tallies });
          return;
        }
        case 'snapshot':
          this.#reply({ type: 'snapshot', id, snapshot: this.#snapshot() });
          return;
        case 'stop':
          this.#stopping = true;
          break;
      }
      this.#reply({ type: 'done', id });
    } catch (e) {
      const code = (e as LonghaulError).code ?? 'FABRIC_FAILED';
      this.#reply({ type: 'failed', id, code, text: messageOf(e) });
    }
  }

  #attach(spec: PortSpec): void {
    const id = this.#ports.length;
    const { name, site, role } = spec;
    const counters: PortCounters = {
      name,
      site,
      role,
      framesIn: 0,
      bytesIn: 0,
      wireBytesIn: 0,
      framesOut: 0,
      bytesOut: 0,
      busy: 0,
      tooLong: 0,
      gone: 0,
      drops: {},
    };
    const port = this.#open(spec, counters);
    const countWireBytes = (bytes: number): void => {
      counters.wireBytesIn += bytes;
    };
    try {
      this.#path.addPort(site, id, name, { role, egress: port, countWireBytes }, spec.options);
    } catch (e) {
      port.close();
      throw e;
    }
    this.#idOf.set(port, id);
    this.#tap?.addPort(id, spec);
    this.#ports.push({ id, spec, port, slot: this.#polls.add(spec.fd, POLLIN), counters, sinceNs: nowNs() });
  }

  #record(tap: FrameTap | null): void {
    this.#tap = tap;
    for (const attached of this.#ports) if (attached) tap?.addPort(attached.id, attached.spec);
    this.#path.record(tap);
    this.#io.sends.onSent =
      tap === null
        ? null
        : (sender, frame, outcome) => {
            tap.sent(this.#idOf.get(sender) ?? 0, this.#path.latestNs, frame, frame.packetId, outcome);
          };
  }

  #open(spec: PortSpec, tally: SendTally): FramePort {
    const { name, kind, fd, vxlan } = spec;
    if (kind === 'nio-udp') return new NioUdpPort(name, fd, this.#io, tally);
    if (kind !== 'vxlan') return new VnetPort(name, kind, fd, this.#io, tally);
    if (vxlan === undefined) throw new LonghaulError('FABRIC_PORT', `port ${name} has no VXLAN settings`);
    return new VxlanPort(name, vxlan, { fd, senderFds: vxlan.senderFds }, this.#io, tally);
  }

  #detach(attached: Attached): void {
    this.#path.removePort(attached.spec.site, attached.id);
    this.#polls.remove(attached.slot);
    this.#ports[attached.id] = undefined;
    attached.counters.drops = attached.port.drops();
    this.#retired.push(attached.counters);
    attached.port.close();
    this.#idOf.delete(attached.port);
  }

  #lose(attached: Attached): void {
    this.#detach(attached);
    this.#reply({ type: 'port-gone', name: attached.spec.name });
  }

  #nameOf(port: number): string {
    return port === STRETCH ? 'stretch' : (this.#ports[port]?.spec.name ?? '');
  }

  #macs(site: SiteName, limit: number): MacSeen[] {
    const now = nowNs();
    return this.#path.bridges[site].macs
      .entries(now)
      .slice(0, limit)
      .map(({ vid, mac, port, heardNs }) => ({
        vid,
        mac: formatMac(mac),
        port: this.#nameOf(port),
        ageNs: now - heardNs,
      }));
  }

  #snapshot(): FabricSnapshot {
    const { bridges, fiber, lateness } = this.#path;
    for (const p of this.#ports) if (p) p.counters.drops = p.port.drops();
    return {
      ports: [...this.#retired, ...this.#ports.flatMap((p) => (p ? [p.counters] : []))].map((c) => ({
        ...c,
      })),
      bridges: { a: bridges.a.counters(), b: bridges.b.counters() },
      fiber: fiber.counters(),
      fiberSettings: fiber.settings,
      lateness: lateness.lateness(),
      latenessSumNs: lateness.sumNs(),
      writes: lateness.writeDuration(),
      ...this.#path.counters(),
      poolBytes: this.#pool.bytes,
      portIo: this.#io.kind,
    };
  }
}
