/**
 * The two hosts of a run: each a process with its station, the guest's port at its site and its records. One that died is
 * started again over what its process left. What is made here is also removed here.
 */
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { LonghaulError, Rng } from '../core/index.js';
import {
  CIPHER_NAME,
  findHosts,
  guestsOf,
  HOST_PROCESS,
  type HostReport,
  type HostRequest,
  newRunKey,
  type Resolution,
  resolveDoubt,
  type TransportOrders,
} from '../host/index.js';
import { openNioUdpPair } from '../l2/ports/index.js';
import { closeFd, nowNs } from '../sys/index.js';
import { LOOPBACK_VMK_MTU, NETNS_MTU } from './attach.js';
import { Child, inheritedFd } from './child.js';
import type { Experiment, Site } from './config/experiment.js';
import { CONSOLE_FILE, guestOrders } from './guest-orders.js';
import type { LinuxState } from './linux-state.js';
import { MemoryBacking } from './memory-backing.js';
import type { RunResult } from './result.js';
import type { Stage } from './stage.js';
import { VMOTION_PORT } from './stations.js';
import { within } from './within.js';

const NIC_BUFFER_BYTES = 4 * 2 ** 20;
/** What a host may take beside its guest's memory; an emulator brings its own code and what it compiles. */
const HOST_BYTES = { workload: 160 * 2 ** 20, pc: 320 * 2 ** 20, linux: 480 * 2 ** 20 };
const ROUND_TRIP_SLACK_MS = 100;
/** How long a host that was started again asks a peer that is about to decide. */
const RECOVERY_LIMIT_NS = 10_000_000_000;
/** A living host says within this time whether its guest runs. */
const ANSWER_MS = 2000;

export type Host = Child<HostRequest, HostReport>;
type HostDoubt = Extract<HostReport, { type: 'ready' }>['doubt'];

/** The end of a guest's port that its host is given, and where the fabric's end listens. */
interface GuestPort {
  readonly farFd: number;
  readonly fabricPort: number;
}

export class Hosts {
  dirtyLog: 'kernel' | 'scan' = 'scan';
  readonly #experiment: Experiment;
  readonly #stage: Stage;
  readonly #transport: TransportOrders;
  readonly #dir: string;
  readonly #rng: Rng;
  /** Where a Linux that has booted is kept, for a guest of that kind. */
  readonly #linux: LinuxState | null;
  /** Known to this process and both hosts; null when they talk in clear. */
  readonly #runKey: Uint8Array | null;
  readonly #backing: MemoryBacking | null;
  readonly #guestPorts: Partial<Record<Site, GuestPort>> = {};
  readonly #hosts: Partial<Record<Site, Host>> = {};
  /** Ends of ports that children have inherited: ours to close. */
  readonly #descriptors: number[] = [];
  #over = false;

  /** @param dir the run's own */
  constructor(
    experiment: Experiment,
    stage: Stage,
    transport: TransportOrders,
    dir: string,
    linux: LinuxState | null,
  ) {
    this.#experiment = experiment;
    this.#stage = stage;
    this.#transport = transport;
    this.#dir = dir;
    this.#linux = linux;
    this.#rng = new Rng(experiment.seed);
    this.#runKey = experiment.migration.secure ? newRunKey() : null;
    const { memoryBacking } = experiment.migration;
    this.#backing =
      memoryBacking === null
        ? null
        : new MemoryBacking(memoryBacking, basename(dir), experiment.guest.memoryBytes);
  }

  /** Afterwards the guest is booted at site A, and has a place at site B. */
  async start(): Promise<void> {
    await Promise.all([this.#start('a'), this.#start('b')]);
  }

  at(site: Site): Host {
    return this.#hosts[site]!;
  }

  get allAlive(): boolean {
    return this.#hosts.a?.alive === true && this.#hosts.b?.alive === true;
  }

  /** Whether memory outlives its host's process. */
  get keepMemory(): boolean {
    return this.#backing !== null;
  }

  get consolePath(): string {
    return join(this.#dir, CONSOLE_FILE);
  }

  recordsPath(site: Site): string {
    return join(this.#dir, `host-${site}.records`);
  }

  /** Hosts whose guest runs; null when a living host did not say. */
  async copiesRunning(): Promise<number | null> {
    const living = Object.values(this.#hosts).filter((h) => h.alive);
    const runs = await Promise.all(
      living.map((h) =>
        within(ANSWER_MS, [
          h.ask({ type: 'standing' }, 'standing').then(
            (r) => r.runs,
            () => false,
          ),
        ]),
      ),
    );
    return runs.includes(undefined) ? null : runs.filter(Boolean).length;
  }

  /** Tells each to end; one that is about to be started is not. @returns when it has */
  end(): Promise<unknown>[] {
    this.#over = true;
    return Object.values(this.#hosts).map((h) => h.end({ type: 'end' }));
  }

  /** Behind the fabric's end. @param inDoubt memory that survives its host stays, for `host resolve` */
  remove(inDoubt: boolean): void {
    if (!inDoubt) this.#backing?.remove();
    for (const fd of this.#descriptors.splice(0)) closeFd(fd);
  }

  /** @returns what a process before this one has left in doubt */
  async #start(site: Site): Promise<HostDoubt> {
    const { guest, migration } = this.#experiment;
    const attached = this.#stage.stationOf(site);
    const peer = this.#stage.stationOf(site === 'a' ? 'b' : 'a');
    const nic = await this.#guestPort(site);
    if (this.#over) {
      if (this.#backing === null) closeFd(nic.farFd);
      throw new LonghaulError('LAB_INTERRUPTED', 'the run ended while its hosts were started');
    }
    const again = this.#hosts[site] !== undefined;
    const recordsPath = this.recordsPath(site);
    const fds = [nic.farFd, (attached.netnsFd ?? attached.farFd)!];
    const host: Host = new Child({ name: `host ${site}`, file: HOST_PROCESS, netnsFd: null, fds });
    this.#hosts[site] = host;
    if (this.#backing === null) closeFd(nic.farFd); // the child has its own now
    void host.ended.then(({ asked, how }) => {
      if (!asked) this.#stage.mark(`host ${site}`, how);
    });
    const vmk =
      attached.netnsFd !== null
        ? { kind: 'kernel' as const, netnsFd: inheritedFd(1), mtu: NETNS_MTU }
        : {
            kind: 'datagram' as const,
            fd: inheritedFd(1),
            fabricUdpPort: attached.fabricUdpPort!,
            mac: attached.station.mac,
            mtu: LOOPBACK_VMK_MTU,
          };
    const ready = await host.ask(
      {
        type: 'begin',
        orders: {
          site,
          vmk,
          vmkIp: attached.station.ip,
          peerIp: peer.station.ip,
          vmotionPort: VMOTION_PORT,
          transport: this.#transport,
          nicFd: inheritedFd(0),
          nicFabricPort: nic.fabricPort,
          recordsPath,
          memoryFile: this.#backing?.fileOf(site, recordsPath) ?? null,
          again,
          runKey: this.#runKey,
          durable: migration.durable,
          boots: site === 'a' && !again,
          guest: guestOrders(guest, this.#rng.fork('guest').u32(), this.consolePath, this.#linux),
        },
      },
      'ready',
    );
    this.dirtyLog = ready.dirtyLog;
    if (ready.dirtyLog === 'scan' && site === 'a' && !again) this.#stage.note(`dirty log by ${ready.why}`);
    return ready.doubt;
  }

  /** The guest's port at a site. Where memory outlives a host's process, the far end does too, for the next process. */
  async #guestPort(site: Site): Promise<GuestPort> {
    const known = this.#guestPorts[site];
    if (known !== undefined) return known;
    const { farFd, fabricFd, fabricPort } = openNioUdpPair(NIC_BUFFER_BYTES);
    await this.#stage.fabric.addPort({
      name: `guest-${site}`,
      site,
      role: 'guest',
      kind: 'nio-udp',
      fd: fabricFd,
    });
    const port = { farFd, fabricPort };
    if (this.#backing !== null) {
      this.#guestPorts[site] = port;
      this.#descriptors.push(farFd);
    }
    return port;
  }

  /** Starts a host again over what its process left; a guest that stood committed there is asked about. */
  async recover(site: Site): Promise<Resolution | null> {
    const doubt = await this.#start(site);
    if (doubt === null) return null;
    if (doubt.memory === 'lost')
      this.#stage.note(`memory lost: what host ${site} left of the guest is not whole`);
    const untilNs = nowNs() + RECOVERY_LIMIT_NS;
    for (;;) {
      const hosts = await findHosts([this.#dir]);
      const here = hosts.find((h) => h.site === site)!;
      const guest = guestsOf(here).find((g) => g.migrationId === doubt.migrationId)!;
      const peer = hosts.find((h) => h !== here) ?? null;
      const uid = process.getuid?.() ?? 0;
      const resolution = await resolveDoubt(guest, peer, 'ask', uid, new Date().toISOString());
      this.#stage.mark(
        `host ${site}`,
        `started again: ${resolution.outcome}: ${resolution.lines.join('; ')}`,
      );
      if (resolution.verdict !== 'undecided' || nowNs() > untilNs) return resolution;
      await sleep(ROUND_TRIP_SLACK_MS);
    }
  }

  /** What protected the moves, and what was turned away meanwhile. */
  async security(): Promise<RunResult['security']> {
    const refused: Record<string, number> = {};
    for (const host of Object.values(this.#hosts)) {
      if (!host.alive) continue;
      const { counts } = await host.ask({ type: 'refusals' }, 'refusals');
      for (const [code, times] of Object.entries(counts ?? {}))
        if (times > 0) refused[code] = (refused[code] ?? 0) + times;
    }
    const { durable } = this.#experiment.migration;
    return this.#runKey === null
      ? { secure: false, cipher: null, durable, refused }
      : { secure: true, cipher: CIPHER_NAME, durable, refused };
  }

  async memoryPeaks(): Promise<RunResult['memoryPeaks']> {
    const { kind, memoryBytes } = this.#experiment.guest;
    const limit = memoryBytes + HOST_BYTES[kind];
    const peaks: RunResult['memoryPeaks'] = [];
    for (const site of ['a', 'b'] as const) {
      const host = this.#hosts[site];
      if (!host?.alive) continue;
      const { bytes } = await host.ask({ type: 'peak' }, 'peak');
      peaks.push({ process: `host ${site}`, peakBytes: bytes, limitBytes: limit });
    }
    // The fabric is a thread of this process: its peak is the lab's.
    peaks.push({
      process: 'lab and fabric',
      peakBytes: process.resourceUsage().maxRSS * 1024,
      limitBytes: null,
    });
    return peaks;
  }
}
