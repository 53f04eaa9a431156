/**
 * An experiment standing: the fabric, two hosts, the guest; its clients are in `sessions.ts`. Builds it, moves the
 * guest, takes it down. What it makes it also removes, in the opposite order, however far it came.
 *
 * Longer than 400 lines: building and taking down own the same processes and descriptors, and stand side by side so
 * that each can be checked against the other. What is pure has moved to `result-parts.ts`.
 */
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describeRecording } from '../capture/index.js';
import { LonghaulError, Rng } from '../core/index.js';
import type { Fabric, FabricSnapshot } from '../fabric/index.js';
import { typedPath } from '../guest/pc/index.js';
import {
  bareSourceReport,
  CIPHER_NAME,
  decodeRecords,
  findHosts,
  guestsOf,
  HOST_PROCESS,
  type HostReport,
  type HostRequest,
  INSECURE_WARNING,
  type MissingFigures,
  newRunKey,
  type Resolution,
  resolveDoubt,
  type SourceReport,
  type TransportOrders,
} from '../host/index.js';
import { openNioUdpPair } from '../l2/ports/index.js';
import { closeFd, makeFifo, nowNs } from '../sys/index.js';
import {
  type AttachedStation,
  attachStation,
  type ChosenAttach,
  LOOPBACK_VMK_MTU,
  NETNS_MTU,
} from './attach.js';
import { startBackground } from './background.js';
import { Child, inheritedFd } from './child.js';
import type { ProbeResult } from './client/protocol.js';
import type { Experiment, Site } from './config/experiment.js';
import { eventLine } from './event-words.js';
import { FiberCut } from './fiber-cut.js';
import { CONSOLE_FILE, GUEST_NAME, guestOrders } from './guest-orders.js';
import type { LinuxState } from './linux-state.js';
import { MemoryBacking } from './memory-backing.js';
import { endByDeath, type MoveEvidence } from './move-end.js';
import { openFabric, recordRun } from './open-fabric.js';
import type { MigrationResult, RunResult } from './result.js';
import { MODE_NAMES, migrationResult, pipelineOrders } from './result-parts.js';
import { roundEvent } from './round-event.js';
import type { RunHooks } from './run-events.js';
import { Sessions } from './sessions.js';
import type { Staged } from './staged.js';
import { hostStation, VMOTION_PORT } from './stations.js';

const NIC_BUFFER_BYTES = 4 * 2 ** 20;
/** What a host may take beside its guest's memory; an emulator brings its own code and what it compiles. */
const HOST_BYTES = { workload: 160 * 2 ** 20, pc: 320 * 2 ** 20, linux: 480 * 2 ** 20 };
/** Longest wait for a migration's end past its own limits: then a host hangs, and the run says so. */
const PATIENCE_MS = 30_000;
const ROUND_TRIP_SLACK_MS = 100;
/** How long a host that was started again asks a peer that is about to decide. */
const RECOVERY_LIMIT_NS = 10_000_000_000;
/** Where the guest runs, and what its move has come to, once a host that was started again has settled its doubt. */
const RECOVERED: Partial<Record<Resolution['outcome'], readonly ['from' | 'to', 'stayed' | 'completed']>> = {
  resumed: ['from', 'stayed'],
  released: ['to', 'completed'],
  closed: ['to', 'completed'],
};

type HostDoubt = Extract<HostReport, { type: 'ready' }>['doubt'];

/** The end of a guest's port that its host is given, and where the fabric's end listens. */
interface GuestPort {
  readonly farFd: number;
  readonly fabricPort: number;
}
/** Within this time the fabric has cut a fiber. */
const CUT_HOLD_NS = 100_000_000;
/** A living host says within this time whether its guest runs. */
const ANSWER_MS = 2000;
/** What a host that dies has sent or written is known after so long. */
const DEATH_SLACK_MS = 100;
/** A source that is told to cancel answers within this time, unless it cannot any more. */
const SOURCE_LEARNS_MS = 2000;
/** A doubt that the hosts settle among themselves is not worth a word. */
const DOUBT_SILENT_MS = 1000;

type Host = Child<HostRequest, HostReport>;

export class Lab implements Staged {
  readonly notes: string[] = [];
  dirtyLog: 'kernel' | 'scan' = 'scan';
  readonly #experiment: Experiment;
  readonly #chosen: ChosenAttach;
  readonly #transport: TransportOrders;
  readonly #dir: string;
  readonly #epochNs: number;
  readonly #hooks: RunHooks;
  readonly #rng: Rng;
  /** Where a Linux that has booted is kept, for a guest of that kind. */
  readonly #linux: LinuxState | null;
  /** Known to this process and both hosts; null when they talk in clear. */
  readonly #runKey: Uint8Array | null;
  readonly #backing: MemoryBacking | null;
  readonly #guestPorts: Partial<Record<Site, GuestPort>> = {};
  readonly #stations: AttachedStation[] = [];
  readonly #hosts: Partial<Record<Site, Host>> = {};
  readonly #timeline: { atNs: number; where: string; what: string }[] = [];
  /** Ends of ports that children have inherited: ours to close. */
  readonly #descriptors: number[] = [];
  #fabric: Fabric | null = null;
  #sessions: Sessions | null = null;
  #stopBackground: (() => void) | null = null;

  constructor(
    experiment: Experiment,
    chosen: ChosenAttach,
    transport: TransportOrders,
    dir: string,
    epochNs: number,
    hooks: RunHooks,
    linux: LinuxState | null = null,
  ) {
    this.#linux = linux;
    this.#experiment = experiment;
    this.#chosen = chosen;
    this.#transport = transport;
    this.#dir = dir;
    this.#epochNs = epochNs;
    this.#hooks = hooks;
    this.#rng = new Rng(experiment.seed);
    this.#runKey = experiment.migration.secure ? newRunKey() : null;
    const { memoryBacking } = experiment.migration;
    this.#backing =
      memoryBacking === null
        ? null
        : new MemoryBacking(memoryBacking, basename(dir), experiment.guest.memoryBytes);
  }

  /** Makes everything: afterwards the guest is booted at site A and the clients are attached, silent. */
  async build(): Promise<void> {
    const note = (text: string): void => this.note(text);
    this.#fabric = openFabric(this.#experiment, { happened: (what) => this.#mark('fabric', what), note });
    if (this.#runKey === null) this.note(INSECURE_WARNING);
    await recordRun(this.#fabric, this.#experiment, this.#hooks, 'longhaul run', note);
    if (this.#experiment.guest.kind !== 'workload') makeFifo(typedPath(this.#consolePath));
    // The stations are made one after the other: each moves this thread through a namespace.
    for (const site of ['a', 'b'] as const) await this.#attach(hostStation(site));
    await Promise.all([this.#startHost('a'), this.#startHost('b')]);
    this.#sessions = new Sessions(this.#experiment, this.#chosen, this.#fabric, this.#epochNs, note);
    await this.#sessions.attach();
    this.#stopBackground = await startBackground(this.#fabric, this.#experiment.background);
  }

  /** Measures the round trip through both bridges and the fiber by ICMP. */
  async probe(): Promise<ProbeResult> {
    return this.#sessions!.probe();
  }

  /** Lets the guest run and the clients talk to it. The segment was quiet until now, for the probe's sake. */
  async startClients(): Promise<void> {
    this.#hosts.a!.send({ type: 'start-guest' });
    if (this.#experiment.guest.kind === 'pc') await this.#sessions!.awaitGuest();
    await this.#sessions!.mark('before');
    this.#mark('lab', 'client sessions started');
  }

  /** One move of the guest. A host that dies is an outcome, not an exception. */
  async migrate(index: number, from: Site, to: Site, settleMs: number): Promise<MigrationResult> {
    const { migration, testHooks } = this.#experiment;
    const source = this.#hosts[from]!;
    const destination = this.#hosts[to]!;
    const events = { onEvent: this.#hooks.onEvent };
    const before = await this.snapshot();
    const startNs = nowNs();
    let announcedNs = 0;
    let guestThere: MoveEvidence['guestThere'] = 'no';
    let missing: MissingFigures | null = null;
    let parityUsed = 0;
    const rounds: SourceReport['rounds'][number][] = [];
    const cut =
      migration.cut === null
        ? null
        : new FiberCut(migration.cut, this.#fabric!, (what) => this.#mark('fabric', what));
    source.onReply = (report) => {
      cut?.heard(report);
      if (report.type === 'phase')
        events.onEvent({ type: 'phase', migration: index, phase: report.phase, from, to });
      if (report.type === 'pages') {
        const { round, sent, total, rateBps } = report;
        events.onEvent({
          type: 'pages',
          migration: index,
          round,
          pagesSent: sent,
          pagesTotal: total,
          rateBps,
        });
      }
      if (report.type === 'round') {
        const r = report.round;
        rounds.push(r);
        events.onEvent(roundEvent(index, this.#experiment.guest.memoryBytes, r));
      }
      if (report.type === 'event') {
        this.#happened(report.atNs, `host ${from}`, report.what);
      }
    };
    destination.onReply = (report) => {
      cut?.heard(report);
      if (report.type === 'guest-here') guestThere = report.whole ? 'whole' : 'lacks-pages';
      if (report.type === 'event') this.#happened(report.atNs, `host ${to}`, report.what);
      if (report.type === 'destination-finished') {
        announcedNs = report.announcedNs;
        if (announcedNs > 0) this.#happened(announcedNs, `host ${to}`, 'the guest is announced');
        missing = report.missing;
        parityUsed = report.parityUsed;
      }
    };
    const finished = source.next('source-finished');
    const migrationId = randomBytes(16).toString('hex');
    const { signalAt } = testHooks ?? {};
    if (signalAt !== undefined)
      this.#hosts[signalAt.site]!.send({
        type: 'signal-at',
        point: signalAt.point,
        signal: signalAt.signal,
      });
    this.#mark('lab', `migration ${index} from ${from} to ${to} ordered`);
    source.send({
      type: 'migrate',
      orders: {
        migrationId,
        epoch: index + 1,
        streams: migration.streams,
        mode: MODE_NAMES[migration.mode],
        slowGuest: migration.slowGuest,
        pipeline: pipelineOrders(this.#experiment, from),
        pauseTargetNs: migration.pauseTargetNs,
        maxRounds: migration.maxRounds,
        limitNs: migration.limitNs,
        verify: migration.verify,
        holdNs: migration.cut?.phase === 'switchover' ? CUT_HOLD_NS : 0,
        corruptPfn: testHooks?.corruptPage ?? null,
        hiddenPfn: testHooks?.hidePage ?? null,
      },
    });
    const report = await this.#endOfMove(index, source, destination, finished);
    await cut?.end();
    if (cut?.done === false)
      this.note(`move ${index + 1} had no ${migration.cut!.phase} to cut the fiber in`);
    await this.#sessions!.mark('after');
    await sleep(settleMs);
    const after = await this.snapshot();
    const clients = await this.#sessions!.accounts();
    const context = {
      index,
      from,
      to,
      epochNs: this.#epochNs,
      announcedNs,
      missing,
      parityUsed,
      bytesOnWire: vmotionBytes(after, from) - vmotionBytes(before, from),
      clients,
      copiesRunning: await this.#copiesRunning(),
    };
    const died = bareSourceReport('aborted', 'LAB_HOST_DIED', `host ${from} has died`, startNs, nowNs());
    const result = migrationResult(report ?? { ...died, rounds }, context);
    const again = source.alive ? null : await this.#afterDeath(from, to);
    if (again !== null) return { ...result, ...again };
    const end = endByDeath({
      from,
      to,
      sourceLives: source.alive,
      destinationLives: destination.alive,
      returned: report?.outcome === 'aborted',
      decision: decisionOf(this.#recordsPath(to), migrationId),
      guestThere,
    });
    return end === null ? result : { ...result, ...end };
  }

  /**
   * Waits until it is known where the guest runs, or until nobody can know. A host that dies is an outcome.
   * @returns the source's last report; null when it died, or when the guest died with the destination before there was one
   */
  async #endOfMove(
    index: number,
    source: Host,
    destination: Host,
    first: Promise<{ readonly report: SourceReport }>,
  ): Promise<SourceReport | null> {
    const { limitNs, cut, doubtNs } = this.#experiment.migration;
    const destinationDied = destination.ended.then(() => sleep(DEATH_SLACK_MS, null));
    const limitMs = (limitNs + (cut?.durationNs ?? 0)) / 1e6 + PATIENCE_MS;
    const settlement = (promise: typeof first) => promise.then((r) => r.report).catch(() => null);
    let next: Promise<SourceReport | null> | null = settlement(first);
    const report = await within(limitMs, [next, destinationDied]);
    if (report === undefined) {
      throw new LonghaulError(
        'LAB_MIGRATION_HANGS',
        `migration ${index} has not ended after ${Math.round(limitMs / 1000)} s`,
        {
          hint: 'raise the limit (migration.limit) if the link is that slow, else report it with the result file',
        },
      );
    }
    // The destination died first: the source may still find out, and say what became of the guest.
    if (report === null && source.alive) source.send({ type: 'cancel', text: 'the other host has died' });
    let last = report ?? (await within(SOURCE_LEARNS_MS, [next])) ?? null;
    next = null;
    const untilNs = nowNs() + doubtNs;
    let told = false;
    while (last?.outcome === 'in-doubt' && nowNs() < untilNs) {
      next ??= settlement(source.next('source-finished'));
      const settled = await within(told ? (untilNs - nowNs()) / 1e6 : DOUBT_SILENT_MS, [next]);
      if (settled !== undefined) {
        last = settled;
        next = null;
      } else if (!told) {
        told = true;
        const text = `${last.text}; longhaul host resolve ${GUEST_NAME} --ask|--resume-here|--discard settles it`;
        this.#hooks.onEvent({ type: 'in-doubt', migration: index, text });
      }
    }
    await sleep(DEATH_SLACK_MS); // what a dying host has said may still be under way
    return last;
  }

  async #copiesRunning(): Promise<number | null> {
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

  get #consolePath(): string {
    return join(this.#dir, CONSOLE_FILE);
  }

  #recordsPath(site: Site): string {
    return join(this.#dir, `host-${site}.records`);
  }

  /** Whether the guest can be moved again. */
  get hostsAlive(): boolean {
    return this.#hosts.a?.alive === true && this.#hosts.b?.alive === true;
  }

  /** Ends the recording, if there is one. */
  async finishRecording(): Promise<void> {
    const report = (await this.#fabric?.stopRecording()) ?? null;
    if (report !== null) this.note(describeRecording(report));
  }

  async snapshot(): Promise<FabricSnapshot> {
    return this.#fabric!.snapshot();
  }

  timeline(): RunResult['timeline'] {
    return this.#timeline
      .map((e) => ({ ...e, atNs: Math.max(0, e.atNs - this.#epochNs) }))
      .sort((x, y) => x.atNs - y.atNs);
  }

  hostStations(): AttachedStation[] {
    return this.#stations.filter((s) => s.station.role === 'vmk');
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

  peer(): null {
    return null;
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

  /**
   * Ends every child, the fabric, the namespaces. Safe at any moment, also half-way through `build`.
   * @param inDoubt memory that survives its host stays, as the records do, for `host resolve`
   */
  async tearDown(inDoubt = false): Promise<void> {
    this.#stopBackground?.();
    await Promise.all([
      this.#sessions?.end(),
      ...Object.values(this.#hosts).map((h) => h.end({ type: 'end' })),
    ]);
    await this.#fabric?.stop();
    if (!inDoubt) this.#backing?.remove();
    for (const fd of this.#descriptors.splice(0)) closeFd(fd);
    for (const s of this.#stations.splice(0)) {
      if (s.netnsFd !== null) closeFd(s.netnsFd);
      if (s.farFd !== null) closeFd(s.farFd);
    }
  }

  async #attach(station: ReturnType<typeof hostStation>): Promise<AttachedStation> {
    const attached = attachStation(this.#chosen, station);
    this.#stations.push(attached);
    await this.#fabric!.addPort(attached.port);
    return attached;
  }

  /** @returns what a process before this one has left in doubt */
  async #startHost(site: Site): Promise<HostDoubt> {
    const { guest, migration } = this.#experiment;
    const attached = this.#stations.find((s) => s.station.role === 'vmk' && s.station.site === site)!;
    const peer = this.#stations.find((s) => s.station.role === 'vmk' && s.station.site !== site)!;
    const nic = await this.#guestPort(site);
    const again = this.#hosts[site] !== undefined;
    const recordsPath = this.#recordsPath(site);
    const fds = [nic.farFd, (attached.netnsFd ?? attached.farFd)!];
    const host: Host = new Child({ name: `host ${site}`, file: HOST_PROCESS, netnsFd: null, fds });
    this.#hosts[site] = host;
    if (this.#backing === null) closeFd(nic.farFd); // the child has its own now
    void host.ended.then(({ asked, how }) => {
      if (!asked) this.#mark(`host ${site}`, how);
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
          guest: guestOrders(guest, this.#rng.fork('guest').u32(), this.#consolePath, this.#linux),
        },
      },
      'ready',
    );
    this.dirtyLog = ready.dirtyLog;
    if (ready.dirtyLog === 'scan' && site === 'a' && !again) this.note(`dirty log by ${ready.why}`);
    return ready.doubt;
  }

  /** The guest's port at a site. Where memory outlives a host's process, the far end does too, for the next process. */
  async #guestPort(site: Site): Promise<GuestPort> {
    const known = this.#guestPorts[site];
    if (known !== undefined) return known;
    const { farFd, fabricFd, fabricPort } = openNioUdpPair(NIC_BUFFER_BYTES);
    await this.#fabric!.addPort({
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

  /** A guest in memory that survives its host: the host is started again, and what stood committed there is settled. */
  async #afterDeath(
    from: Site,
    to: Site,
  ): Promise<Pick<MigrationResult, 'outcome' | 'guestAt' | 'reason'> | null> {
    const recovered = this.#backing === null ? null : await this.#recover(from);
    if (recovered === null) return null;
    const [at, outcome] = RECOVERED[recovered.outcome] ?? [null, 'in-doubt'];
    const text = [`host ${from} has died`, ...recovered.lines].join('; ');
    const guestAt = at === null ? null : { from, to }[at];
    return { outcome, guestAt, reason: { code: 'LAB_HOST_STARTED_AGAIN', text } };
  }

  /** Starts a host again over what its process left; a guest that stood committed there is asked about. */
  async #recover(site: Site): Promise<Resolution | null> {
    const doubt = await this.#startHost(site);
    if (doubt === null) return null;
    if (doubt.memory === 'lost') this.note(`memory lost: what host ${site} left of the guest is not whole`);
    const untilNs = nowNs() + RECOVERY_LIMIT_NS;
    for (;;) {
      const hosts = await findHosts([this.#dir]);
      const here = hosts.find((h) => h.site === site)!;
      const guest = guestsOf(here).find((g) => g.migrationId === doubt.migrationId)!;
      const peer = hosts.find((h) => h !== here) ?? null;
      const uid = process.getuid?.() ?? 0;
      const resolution = await resolveDoubt(guest, peer, 'ask', uid, new Date().toISOString());
      this.#mark(`host ${site}`, `started again: ${resolution.outcome}: ${resolution.lines.join('; ')}`);
      if (resolution.verdict !== 'undecided' || nowNs() > untilNs) return resolution;
      await sleep(ROUND_TRIP_SLACK_MS);
    }
  }

  /** Something that a reader of the result should know. */
  note(text: string): void {
    this.notes.push(text);
    this.#hooks.onEvent({ type: 'note', text });
  }

  #mark(where: string, what: string): void {
    this.#happened(nowNs(), where, what);
  }

  #happened(atNs: number, where: string, what: string): void {
    this.#timeline.push({ atNs, where, what });
    this.#fabric?.comment(atNs, eventLine(where, what));
  }
}

/** Wire bytes that a site's vmk port has put into the fabric. */
function vmotionBytes(s: FabricSnapshot, site: Site): number {
  return s.ports
    .filter((p) => p.site === site && p.role === 'vmk')
    .reduce((sum, p) => sum + p.wireBytesIn, 0);
}

/** The first of these, or undefined when none has settled in time. */
async function within<T>(ms: number, promises: readonly Promise<T>[]): Promise<T | undefined> {
  const ending = new AbortController();
  const late = sleep(Math.max(0, ms), undefined, { signal: ending.signal }).catch(() => undefined);
  const first = await Promise.race([...promises, late]);
  ending.abort();
  return first;
}

function decisionOf(recordsPath: string, migrationId: string): 'RUNNING' | 'NEVER' | null {
  for (const { kind, migrationId: id } of decodeRecords(readFileSync(recordsPath)))
    if ((kind === 'RUNNING' || kind === 'NEVER') && Buffer.from(id).toString('hex') === migrationId)
      return kind;
  return null;
}
