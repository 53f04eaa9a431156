/**
 * A world: two sites and the fiber between them, two hosts, a guest, clients, and what befalls them, in virtual time
 * and from one seed. The same options give the same world, event for event.
 *
 *   faults ──► hosts, fiber                       ┌─ client A       client B ─┐
 *              host a ══ vmk ═╗   ╔═ vmk ══ host b ▼                           ▼
 *                guest ─── bridge A ═══ fiber ═══ bridge B ─── guest
 *                                  judge: looks at every start, every return, and at the end
 *
 * Longer than 400 lines for its wiring: who hears whom stands in one place, in the order in which it is built.
 */
import { frameOf, NS_PER_MS, NS_PER_S, Rng } from '../core/index.js';
import {
  bottleneckBps,
  type FiberSettings,
  FULL_PACKET_WIRE_BYTES,
  oneWayNs,
  type Timeline,
} from '../fiber/index.js';
import { dirtyRange, layoutOf, slotPagesOf } from '../guest/index.js';
import { ETHERTYPE_ARP } from '../l2/index.js';
import type { DestinationTimers, SourceTimers, TimelineEvent } from '../vmotion-protocol/index.js';
import { type BackgroundFlow, startFlow } from './background.js';
import { type ClientSpec, requestIn, SimClient } from './client.js';
import { HOST_COSTS, type HostCosts } from './costs.js';
import type { Fault, FaultKind } from './faults.js';
import type { GuestSpec } from './guest.js';
import { SimHost } from './host.js';
import { Judge, type JudgedMigration, Violation } from './judge.js';
import type { LinkSettings } from './link.js';
import { SimRecords } from './records.js';
import { probeRtt } from './rtt-probe.js';
import { type SimOrders, SourceDriver } from './source-driver.js';
import { Stack } from './stack.js';
import { type SiteName, StretchedSegment } from './stretched-segment.js';
import type { DriverFaults, Surroundings } from './surroundings.js';
import { TraceHash } from './trace-hash.js';
import { Truth } from './truth.js';
import { VirtualTime } from './virtual-time.js';

export interface WorldOptions {
  readonly seed: number | string;
  readonly guest: GuestSpec;
  readonly clients: readonly ClientSpec[];
  readonly background?: readonly BackgroundFlow[];
  readonly fiber: FiberSettings;
  readonly timeline?: Timeline;
  readonly guestFirst?: boolean;
  readonly costs?: HostCosts;
  readonly faults?: readonly Fault[];
  readonly driverFaults?: DriverFaults;
  /** Whether the judge compares contents of pages; it does unless told otherwise. */
  readonly judgesMemory?: boolean;
  readonly sourceTimers?: Partial<SourceTimers>;
  readonly destinationTimers?: Partial<DestinationTimers>;
  /** Silence after which a host takes the other for lost. */
  readonly silenceNs?: number;
  readonly redialNs?: number;
  /** The shortest wait for an acknowledgement before something is sent again. */
  readonly retransmitNs?: number;
  /** The longest that one segment may occupy the fiber, so that others need not wait for it. */
  readonly segmentNs?: number;
  /** Round trips until a link's opener may send, and what governs its pace. Default: none, and a window of its own. */
  readonly transport?: Pick<LinkSettings, 'openingTurns' | 'congestion' | 'pageLinkBps'>;
  /** Keeps what happens as lines. */
  readonly keepTrace?: boolean;
}

export type MigrationOrders = Omit<SimOrders, 'migrationId' | 'epoch'>;

/** One migration of a world. */
export interface WorldMigration {
  readonly from: SiteName;
  readonly to: SiteName;
  readonly source: SourceDriver;
  readonly destinationHost: SimHost;
}

const VMK_MAC = { a: 0x024c48000001, b: 0x024c48000002 };
const CLIENT_MAC = 0x024c48000020;
const CLIENT_IP = 0x0a500064;
const DEFAULT_SILENCE_NS = 2 * NS_PER_S;
const DEFAULT_REDIAL_NS = 100 * NS_PER_MS;
/** A super-frame is cut at the fiber's entry when it would take longer (fabric/frame-path.ts). */
const DEFAULT_SEGMENT_NS = 50_000;
/** Kernels send again after 200 ms at the earliest (Linux, TCP_RTO_MIN). */
const DEFAULT_RETRANSMIT_NS = 200 * NS_PER_MS;
/** Between two looks whether all is done. */
const SETTLE_STEP_NS = 10 * NS_PER_MS;
const WINDOW_SPARE_BYTES = 512 * 1024;
const WINDOW_MAX_BYTES = 256 * 2 ** 20;

export class World {
  readonly time = new VirtualTime();
  readonly trace = new TraceHash();
  readonly segment: StretchedSegment;
  readonly hosts: Readonly<Record<SiteName, SimHost>>;
  readonly clients: readonly SimClient[];
  readonly truth: Truth;
  readonly judge: Judge;
  readonly migrations: WorldMigration[] = [];
  /** What the machines told of themselves, for a result. */
  onReport: (site: SiteName, role: 'source' | 'destination', event: TimelineEvent) => void = () => {};
  /** The first rule that was broken. */
  violation: Violation | null = null;
  readonly #options: WorldOptions;
  readonly #rng: Rng;
  readonly #entered = new Set<string>();
  #faultsAreOver = false;

  constructor(options: WorldOptions) {
    this.#options = options;
    const rng = new Rng(options.seed);
    this.#rng = rng;
    if (options.keepTrace === true) this.trace.keepLines();
    const { fiber, timeline, guestFirst = true, costs = HOST_COSTS } = options;
    const { portNs } = costs;
    this.segment = new StretchedSegment(
      this.time,
      { fiber, guestFirst, portNs, ...(timeline === undefined ? {} : { timeline }) },
      rng.fork('fiber'),
      this.trace,
    );
    this.truth = new Truth(options.guest.pages);
    const hosts = {} as Record<SiteName, SimHost>;
    this.judge = new Judge(hosts, this.truth, options.judgesMemory ?? true);
    const around = this.#surroundings();
    const numbers = { next: 1 };
    const link = linkSettings(options);
    for (const site of ['a', 'b'] as const) {
      const peer = site === 'a' ? 'b' : 'a';
      const stack = new Stack(this.time, this.segment, site, VMK_MAC[site], VMK_MAC[peer], link, numbers);
      const draws = rng.fork(`records ${site}`);
      hosts[site] = new SimHost(
        site,
        around,
        options.guest,
        stack,
        new SimRecords(hexName(draws.fork('store')), draws),
      );
    }
    this.hosts = hosts;
    this.clients = options.clients.map(
      (spec, i) =>
        new SimClient(this.time, this.segment, spec, {
          id: i + 1,
          mac: CLIENT_MAC + i,
          ip: CLIENT_IP + i,
          guestIp: options.guest.ip,
          slotPages: slotPagesOf(options.guest.pages),
        }),
    );
    this.segment.onLoss = (frame, why) =>
      this.#frameLost(frame.data.subarray(frame.start, frame.start + frame.length), why);
    for (const [index, flow] of (options.background ?? []).entries())
      startFlow(this.time, this.segment, flow, index);
    this.hosts.a.guest.boot(rng.fork('guest'));
    this.hosts.a.guest.start(0);
  }

  /** The round trip between the sites, and how many echoes were lost. */
  probe(count: number, intervalNs: number): { readonly rttsNs: number[]; readonly lost: number } {
    return probeRtt(this.time, this.segment, count, intervalNs);
  }

  /** Lets the guest and its clients run for a while, before a move or after one. */
  live(forNs: number): void {
    this.#guarded(() => this.time.run(this.time.nowNs + forNs));
  }

  startClients(): void {
    for (const client of this.clients) client.start();
  }

  stopClients(): void {
    for (const client of this.clients) client.stop();
  }

  /** Orders a migration away from where the guest is, and lets time pass until its source has ended, or `limitNs` is over. */
  migrate(from: SiteName, orders: MigrationOrders, limitNs: number): WorldMigration {
    const host = this.hosts[from];
    const to = from === 'a' ? 'b' : 'a';
    const epoch = this.migrations.length + 1;
    const migrationId = hexName(this.#rng.fork(`migration ${epoch}`));
    const source = new SourceDriver(host, { ...orders, migrationId, epoch });
    const migration: WorldMigration = { from, to, source, destinationHost: this.hosts[to] };
    this.migrations.push(migration);
    host.source = source;
    if (this.migrations.length === 1) this.#entersPhase('ordered');
    this.#guarded(() => {
      source.start();
      this.time.run(this.time.nowNs + limitNs, () => source.outcome !== null || source.hasDied);
    });
    return migration;
  }

  /** Waits until nothing of any migration is left to do, or `limitNs` is over. */
  settle(limitNs: number): void {
    this.#guarded(() => {
      const endNs = this.time.nowNs + limitNs;
      while (this.time.nowNs < endNs && !this.#atRest())
        this.time.run(Math.min(endNs, this.time.nowNs + SETTLE_STEP_NS));
    });
  }

  /** Nothing befalls this world any more, and what has is mended. */
  endFaults(buried: SiteName | null): void {
    this.#faultsAreOver = true;
    this.heal(buried);
  }

  /** Ends every fault so far: hosts come back, but one that is buried, the fiber is whole, disks are free. */
  heal(buried: SiteName | null = null): void {
    this.#guarded(() => {
      this.segment.change('both', { link: 'up', lossProb: 0, corruptProb: 0, duplicateProb: 0 });
      for (const host of Object.values(this.hosts)) {
        host.records.isFull = false;
        host.records.slowness = 1;
        if (host.site !== buried) host.restart();
      }
    });
  }

  /**
   * An operator's word on a migration in doubt whose destination's host is down for good: the guest is to run at its
   * source. Of one that serves pages to nobody, the pages are given up.
   */
  sayOfDoubt(): void {
    this.#guarded(() => {
      for (const { source, destinationHost } of this.migrations) {
        if (destinationHost.isUp || source.isOver) continue;
        if (source.phase === 'in-doubt') {
          this.judge.operatorSaid(source.migrationId);
          source.resolve('never', 'the destination is fenced');
        } else if (source.phase === 'serving') source.resolve('running', 'the guest is lost');
      }
    });
  }

  /** The final verdict, once everything rests. @returns the first rule that was broken in this world, or null */
  verdict(): Violation | null {
    this.#guarded(() => {
      for (const host of Object.values(this.hosts)) host.guest.catchUp(this.time.nowNs);
      const judged: JudgedMigration[] = this.migrations.map(({ from, to, source }) => ({
        id: source.migrationId,
        from,
        to,
        outcome: outcomeOf(source),
      }));
      this.judge.atRest(judged, this.segment, this.clients);
    });
    return this.violation;
  }

  /** Nothing is left to do; or what is left waits for a host that died, for ever. */
  #atRest(): boolean {
    const { a, b } = this.hosts;
    return this.#isDone(a, b) && this.#isDone(b, a);
  }

  #isDone({ isUp, source, destination }: SimHost, peer: SimHost): boolean {
    if (!isUp) return true;
    const nobodyToServe = source?.phase === 'serving' && (peer.destination?.isOver ?? true);
    const nobodyServes = destination?.phase === 'filling' && (peer.source?.isOver ?? true);
    return (
      (source === null || source.isOver || nobodyToServe) &&
      (destination === null || destination.isOver || destination.phase === 'idle' || nobodyServes)
    );
  }

  #guarded(body: () => void): void {
    if (this.violation !== null) return;
    try {
      body();
    } catch (e) {
      if (!(e instanceof Violation)) throw e;
      this.violation = e;
      this.trace.note(this.time.nowNs, 'judge', e.message);
    }
  }

  #surroundings(): Surroundings {
    const {
      costs = HOST_COSTS,
      driverFaults = {},
      sourceTimers = {},
      destinationTimers = {},
      redialNs,
    } = this.#options;
    return {
      time: this.time,
      trace: this.trace,
      segment: this.segment,
      truth: this.truth,
      judge: this.judge,
      costs,
      faults: driverFaults,
      sourceTimers,
      destinationTimers,
      redialNs: redialNs ?? DEFAULT_REDIAL_NS,
      sendFrame: (port, bytes) => this.segment.send(port, frameOf(bytes)),
      reported: (site, role, event) => {
        this.onReport(site, role, event);
        if (event.type === 'phase') this.#entersPhase(`${role}:${event.to}`);
      },
      requested: (_, client, seq) => this.clients[client - 1]?.reached.add(seq),
    };
  }

  #entersPhase(name: string): void {
    if (this.#entered.has(name)) return;
    this.#entered.add(name);
    for (const fault of this.#options.faults ?? [])
      if (fault.when === name) this.time.after(fault.afterNs, () => this.#befall(fault.what));
  }

  #befall(what: FaultKind): void {
    if (this.#faultsAreOver) return;
    this.trace.note(this.time.nowNs, 'fault', `${what.do} ${'host' in what ? what.host : ''}`);
    const { excuses } = this.judge;
    switch (what.do) {
      case 'crash':
        return this.hosts[what.host].crash();
      case 'restart':
        return this.hosts[what.host].restart();
      case 'freeze':
        return this.hosts[what.host].freeze(what.ns);
      case 'clock-jump':
        return this.hosts[what.host].jumpClock(what.ns);
      case 'disk-slow':
        this.hosts[what.host].records.slowness = what.times;
        return;
      case 'disk-full':
      case 'disk-free':
        this.hosts[what.host].records.isFull = what.do === 'disk-full';
        return;
      case 'link':
        excuses.framesDelayed = true;
        return this.segment.change(what.direction, { link: what.state });
      case 'fiber':
        if (what.set.jitter || what.set.reorder === true) excuses.framesDelayed = true;
        return this.segment.change(what.direction, what.set);
      case 'cancel':
        return this.migrations[0]?.source.cancel('an operator cancels');
    }
  }

  #frameLost(bytes: Uint8Array, why: string): void {
    // Without its announcement the guest's new place stays unknown for a while, and the network sends to the old one.
    // So does a client whose question for an address is not answered: its requests wait.
    const isArp = bytes[12] === ETHERTYPE_ARP >> 8 && bytes[13] === (ETHERTYPE_ARP & 0xff);
    if ((bytes[0]! & 1) !== 0 || isArp) this.judge.excuses.framesDelayed = true;
    const request = requestIn(bytes);
    if (request === null) return;
    this.clients[request.client - 1]?.lost.add(request.seq);
    this.trace.note(this.time.nowNs, 'fabric', `lost a request: ${why}`);
  }
}

/** How a migration stands, in a word. */
export function outcomeOf(source: SourceDriver): JudgedMigration['outcome'] {
  if (source.hasDied) return 'died';
  return source.phase === 'serving' ? 'serving' : (source.outcome ?? 'none');
}

/** 32 hexadecimal digits. */
function hexName(rng: Rng): string {
  return Array.from({ length: 4 }, () => rng.u32().toString(16).padStart(8, '0')).join('');
}

function linkSettings({
  fiber,
  silenceNs,
  retransmitNs,
  segmentNs = DEFAULT_SEGMENT_NS,
  transport = {},
}: WorldOptions): LinkSettings {
  const rateBps = Math.min(bottleneckBps(fiber, 'a-b'), bottleneckBps(fiber, 'b-a'));
  const rttNs = oneWayNs(fiber, 'a-b') + oneWayNs(fiber, 'b-a');
  const queueBytes = Math.min(...fiber.spans.flatMap(({ aToB, bToA }) => [aToB.queueBytes, bToA.queueBytes]));
  const product = rateBps === Number.POSITIVE_INFINITY ? Number.POSITIVE_INFINITY : (rateBps * rttNs) / 8e9;
  const packetNs = (FULL_PACKET_WIRE_BYTES * 8e9) / rateBps;
  return {
    // What fits the glass and half of the queue: a line of one's own is filled and does not overflow.
    windowBytes:
      transport.congestion === undefined
        ? Math.min(product + WINDOW_SPARE_BYTES, product + queueBytes / 2, WINDOW_MAX_BYTES)
        : WINDOW_MAX_BYTES,
    ...transport,
    segmentPackets: Math.max(1, Math.floor(segmentNs / Math.max(packetNs, 1))),
    silenceNs: silenceNs ?? DEFAULT_SILENCE_NS,
    retransmitNs: retransmitNs ?? DEFAULT_RETRANSMIT_NS,
  };
}

/** The guest of an experiment as both places have it. @param hotPages pages that the dirty model may write */
export function guestSpec(
  guest: Omit<GuestSpec, 'dirty'> & {
    readonly dirty: Omit<GuestSpec['dirty'], 'firstPage' | 'pages'> & { readonly hotPages: number };
  },
): GuestSpec {
  const { hotPages, ...dirty } = guest.dirty;
  return { ...guest, dirty: { ...dirty, ...dirtyRange(layoutOf(guest.pages), hotPages) } };
}
