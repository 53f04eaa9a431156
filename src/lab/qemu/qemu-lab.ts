/**
 * The two sites with a QEMU each in place of our hosts: same fabric, same stations, same clients.
 *
 *   vmk namespace ── QEMU: migration stream by kernel TCP        guest NIC ── NIO-UDP port of the site's bridge
 *
 * A QEMU that guests left is ended; the next move's destination is a new one. What is made here is also removed here.
 */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { EnvironmentError, LonghaulError } from '../../core/index.js';
import type { FabricSnapshot } from '../../fabric/index.js';
import { formatIpv4 } from '../../l2/index.js';
import { openNioUdpPair } from '../../l2/ports/index.js';
import {
  type Accelerator,
  type MemoryComparison,
  migrateQemu,
  prepareMigration,
  type QemuBegin,
  type QemuErrorCode,
  type QemuMachine,
  type QemuMigrationReport,
  QemuProcess,
  type QemuProgram,
} from '../../qemu/index.js';
import { closeFd, connectUdp } from '../../sys/index.js';
import type { AttachedStation, ChosenAttach } from '../attach.js';
import type { ProbeResult } from '../client/protocol.js';
import type { Site } from '../config/experiment.js';
import type { MigrationResult, RunResult } from '../result.js';
import type { RunHooks } from '../run-events.js';
import { hostBytes, Stage } from '../stage.js';
import type { Staged } from '../staged.js';
import { chooseAccelerator } from './accelerator.js';
import { qemuMoveResult } from './move-result.js';
import type { QemuPlan } from './plan.js';
import { congestionOf, tcpCounters } from './tcp-counters.js';

const LOOPBACK = 0x7f000001;
const NIC_BUFFER_BYTES = 4 * 2 ** 20;
/** Where a destination listens, in its site's namespace; libvirt's first port. */
const MIGRATION_PORT = 49152;
/** How long the guest may take to boot: 4 GiB are filled before it is ready. */
const BOOT_LIMIT_MS = 30_000;
/** Pages that a note names. */
const DIFFERING_NAMED = 20;
/** What the guest says when it finds a page that is not what it wrote last. */
const MEMORY_COMPLAINT = 'is not what was written to it';

export class QemuLab implements Staged {
  readonly dirtyLog = 'qemu';
  readonly #plan: QemuPlan;
  readonly #program: QemuProgram;
  readonly #dir: string;
  readonly #epochNs: number;
  readonly #hooks: RunHooks;
  readonly #stage: Stage;
  /** Every QEMU that was started and not ended. */
  readonly #running = new Set<QemuProcess>();
  #accelerator: Accelerator = 'tcg';
  #guest: QemuProcess | null = null;
  #starts = 0;
  #ending = false;

  /** @param dir a directory of the run's own */
  constructor(
    plan: QemuPlan,
    program: QemuProgram,
    chosen: ChosenAttach,
    dir: string,
    epochNs: number,
    hooks: RunHooks,
  ) {
    this.#dir = dir;
    this.#plan = plan;
    this.#program = program;
    this.#stage = new Stage(plan.experiment, chosen, epochNs, hooks);
    this.#epochNs = epochNs;
    this.#hooks = hooks;
  }

  get hostsAlive(): boolean {
    return this.#guest?.alive === true;
  }

  get notes(): string[] {
    return this.#stage.notes;
  }

  async build(): Promise<void> {
    await this.#stage.open('longhaul qemu migrate');
    this.#accelerator = await this.#chooseAccelerator();
    this.#guest = await this.#start('a', 'boots');
    await this.#stage.admitClients();
  }

  async probe(): Promise<ProbeResult> {
    return this.#stage.sessions.probe();
  }

  async startClients(): Promise<void> {
    const guest = this.#guest!;
    await guest.qmp.execute('cont', {});
    if (!(await guest.hears(this.#plan.readyText, BOOT_LIMIT_MS))) {
      const last = guest.serial.trim().split('\n').at(-1) || 'nothing';
      const how = guest.alive ? 'stays silent' : await guest.ended;
      throw new LonghaulError<QemuErrorCode>(
        'QEMU_DIED',
        `the guest has not booted: ${guest.name} ${how}; its serial line said ${last}`,
        { hint: 'try --accel tcg, or another --image' },
      );
    }
    await this.#stage.sessions.mark('before');
    this.#stage.mark('lab', 'client sessions started');
  }

  async migrate(index: number, from: Site, to: Site, settleMs: number): Promise<MigrationResult> {
    const { migration, experiment } = this.#plan;
    const { onEvent } = this.#hooks;
    const source = this.#guest!;
    const options = { ...migration, compareAt: this.#plan.verify ? join(this.#dir, 'memory') : null };
    const destination = await this.#start(to, this.#plan.verify ? 'stands-by' : 'takes-over');
    const address = formatIpv4(this.#stage.stationOf(to).station.ip);
    const uri = `tcp:${address}:${MIGRATION_PORT}`;
    await prepareMigration(source, destination, uri, options);
    const before = await this.#stage.snapshot();
    const tcpBefore = tcpCounters(this.#stage.stationOf(from).netnsFd!);
    onEvent({ type: 'phase', migration: index, phase: 'pre-copy', from, to });
    this.#stage.mark('lab', `migration ${index} from ${from} to ${to} ordered`);
    const report = await migrateQemu(source, destination, uri, options, ({ ram }) => {
      if (ram === null || ram.pageBytes === 0) return;
      const pagesTotal = Math.round(ram.totalBytes / ram.pageBytes);
      const pagesSent = pagesTotal - Math.round(ram.remainingBytes / ram.pageBytes);
      const rateBps = ram.throughputBps;
      onEvent({ type: 'pages', migration: index, round: ram.dirtySyncs, pagesSent, pagesTotal, rateBps });
    });
    this.#tellEvents(report, from, to);
    await this.#stage.sessions.mark('after');
    await sleep(settleMs);
    const after = await this.#stage.snapshot();
    const tcpAfter = tcpCounters(this.#stage.stationOf(from).netnsFd!);
    const clients = await this.#stage.sessions.accounts();
    const copiesRunning = await this.#copiesRunning([source, destination]);
    if (report.outcome !== 'stayed') this.#guest = destination;
    await this.#end(report.outcome === 'stayed' ? destination : source);
    const complaint = this.#complaint();
    this.#tellDifference(index, report.memory);
    if (complaint !== null) this.note(`move ${index + 1}: the guest's memory was not intact: ${complaint}`);
    return qemuMoveResult(report, {
      index,
      from,
      to,
      epochNs: this.#epochNs,
      mode: experiment.migration.mode === 'postcopy' ? 'postcopy' : 'precopy',
      bytesOnWire: hostBytes(after, from) - hostBytes(before, from),
      segments:
        tcpBefore === null || tcpAfter === null
          ? null
          : { sent: tcpAfter.sent - tcpBefore.sent, resent: tcpAfter.resent - tcpBefore.resent },
      copiesRunning,
      complained: complaint !== null,

      clients,
    });
  }

  finishRecording(): Promise<void> {
    return this.#stage.finishRecording();
  }

  snapshot(): Promise<FabricSnapshot> {
    return this.#stage.snapshot();
  }

  timeline(): RunResult['timeline'] {
    return this.#stage.timeline();
  }

  hostStations(): AttachedStation[] {
    return this.#stage.hostStations;
  }

  async security(): Promise<null> {
    return null;
  }

  peer(): RunResult['peer'] {
    const { image, parameters, migration } = this.#plan;
    const { mode, channels, downtimeLimitNs, bandwidthBps } = migration;
    return {
      name: 'qemu',
      version: this.#program.version,
      accelerator: this.#accelerator,
      image,
      parameters,
      mode,
      channels,
      downtimeLimitNs,
      bandwidthBps,
      congestion: congestionOf(this.#stage.stationOf('a').netnsFd!),
    };
  }

  async memoryPeaks(): Promise<RunResult['memoryPeaks']> {
    const peakBytes = process.resourceUsage().maxRSS * 1024;
    return [{ process: 'lab and fabric', peakBytes, limitBytes: null }];
  }

  note(text: string): void {
    this.#stage.note(text);
  }

  async tearDown(): Promise<void> {
    this.#ending = true;
    await this.#stage.tearDown([...this.#running].map((q) => this.#end(q)));
  }

  async #chooseAccelerator(): Promise<Accelerator> {
    const { accelerator } = this.#plan;
    const { chosen, why } = await chooseAccelerator(accelerator, this.#plan.readyText, {
      name: 'a QEMU on trial',
      program: this.#program.path,
      machine: this.#machine('kvm'),
      netnsFd: this.#stage.stationOf('a').netnsFd!,
    });
    if (why !== null) this.note(why);
    return chosen;
  }

  #machine(accelerator: Accelerator): QemuMachine {
    const { experiment, image, parameters, lessBytes } = this.#plan;
    const { memoryBytes, mac } = experiment.guest;
    return { accelerator, memoryBytes: memoryBytes - lessBytes, image, initrd: null, parameters, mac };
  }

  /** Starts a QEMU with a port of its own: what stood in the buffer of another's is not for this one. */
  async #start(site: Site, begin: QemuBegin): Promise<QemuProcess> {
    const pair = openNioUdpPair(NIC_BUFFER_BYTES);
    const portName = `guest-${site}${this.#starts++}`;
    try {
      connectUdp(pair.farFd, { ip: LOOPBACK, port: pair.fabricPort });
      await this.#stage.fabric.addPort({
        name: portName,
        site,
        role: 'guest',
        kind: 'nio-udp',
        fd: pair.fabricFd,
      });
      const qemu = await QemuProcess.start({
        name: `QEMU at site ${site}`,
        program: this.#program.path,
        machine: this.#machine(this.#accelerator),
        begin,
        netnsFd: this.#stage.stationOf(site).netnsFd!,
        nicFd: pair.farFd,
      });
      this.#running.add(qemu);
      void qemu.ended.then((how) => {
        if (this.#running.has(qemu)) this.#stage.mark(`qemu ${site}`, how);
        if (!this.#ending) void this.#stage.fabric.removePort(portName).catch(() => {});
      });
      // Ctrl-C came while it started: the clean-up has not seen it.
      if (this.#ending) await this.#end(qemu);
      return qemu;
    } finally {
      closeFd(pair.farFd);
    }
  }

  async #end(qemu: QemuProcess): Promise<void> {
    this.#running.delete(qemu);
    await qemu.end();
  }

  async #copiesRunning(sides: readonly QemuProcess[]): Promise<number | null> {
    try {
      const answers = await Promise.all(
        sides.filter((q) => q.alive).map((q) => q.qmp.execute('query-status', {})),
      );
      return answers.filter((a) => (a as { running?: unknown }).running === true).length;
    } catch {
      return null;
    }
  }

  /** What the guest has said since the last move of a page that it found changed: it looks before it writes one again. */
  #complaint(): string | null {
    const lines = this.#guest!.serial.split('\n').filter((line) => line.includes(MEMORY_COMPLAINT));
    return lines[0]?.trim() ?? null;
  }

  #tellDifference(index: number, memory: MemoryComparison | null): void {
    if (memory === null || memory.differing.length === 0) return;
    const { differing, pages } = memory;
    const named = differing.slice(0, DIFFERING_NAMED).join(', ');
    const more = differing.length > DIFFERING_NAMED ? ', …' : '';
    this.note(
      `move ${index + 1}: while both guests stood, ${differing.length} of ${pages} pages differed: ${named}${more}`,
    );
  }

  #tellEvents(report: QemuMigrationReport, from: Site, to: Site): void {
    for (const { side, event } of report.events) {
      const { status } = event.data;
      const what = typeof status === 'string' ? `${event.name} ${status}` : event.name;
      this.#stage.happened(event.atNs, `qemu ${side === 'source' ? from : to}`, what);
    }
  }
}

/** A migration between QEMUs is kernel TCP. @throws EnvironmentError LAB_NO_TCP */
export function refuseLoopback(chosen: ChosenAttach): void {
  if (chosen.kind === 'netns') return;
  throw new EnvironmentError('LAB_NO_TCP', 'QEMU migrates over kernel TCP, which attach loopback has not', {
    hint: 'run as root or where `unshare -Urn true` works',
  });
}
