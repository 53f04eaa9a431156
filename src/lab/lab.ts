/**
 * An experiment standing: the fabric, two hosts, the guest, the clients. Builds it, moves the guest, takes it
 * down. What it makes it also removes, in the opposite order, however far it came.
 *
 * Longer than 400 lines: building and taking down own the same processes and descriptors, and stand side by side so
 * that each can be checked against the other. What is pure has moved to `result-parts.ts`.
 */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { LonghaulError, PAGE_SIZE, Rng } from '../core/index.js';
import { Fabric, type FabricSnapshot } from '../fabric/index.js';
import { fiberWarnings } from '../fiber/index.js';
import {
  HOST_PROCESS,
  type HostReport,
  type HostRequest,
  type MissingFigures,
  type SourceReport,
} from '../host/index.js';
import { parseIpv4, parseMac } from '../l2/index.js';
import { openNioUdpPair } from '../l2/ports/index.js';
import { closeFd, nowNs } from '../sys/index.js';
import { type AttachedStation, attachStation, type ChosenAttach, LOOPBACK_VMK_MTU } from './attach.js';
import { startBackground } from './background.js';
import { Child, inheritedFd } from './child.js';
import type { ClientReply, ClientRequest, PortAttach, ProbeResult } from './client/protocol.js';
import { rawSocketBuilt } from './client/raw-socket.js';
import type { Experiment, Site } from './experiment.js';
import { fiberSettingsOf, fiberTimelineOf } from './resolve-experiment.js';
import type { ClientResult, MigrationResult, RunResult } from './result.js';
import { clientResult, MODE_NAMES, migrationResult, pipelineOrders } from './result-parts.js';
import type { RunHooks } from './run-events.js';
import { clientStation, echoStation, hostStation, VMOTION_PORT } from './stations.js';

const GUEST_NAME = 'guest';
const NIC_BUFFER_BYTES = 4 * 2 ** 20;
const CLIENT_PROCESS = new URL('./client/client-process.js', import.meta.url);
/** Longest wait for a migration's end past its own limits: then a host hangs, and the run says so. */
const PATIENCE_MS = 30_000;
const ROUND_TRIP_SLACK_MS = 100;

type Host = Child<HostRequest, HostReport>;
type Client = Child<ClientRequest, ClientReply>;

export class Lab {
  readonly notes: string[] = [];
  dirtyLog: 'kernel' | 'scan' = 'scan';
  readonly #experiment: Experiment;
  readonly #chosen: ChosenAttach;
  readonly #dir: string;
  readonly #epochNs: number;
  readonly #hooks: RunHooks;
  readonly #rng: Rng;
  readonly #stations: AttachedStation[] = [];
  readonly #hosts: Partial<Record<Site, Host>> = {};
  readonly #clients: { site: Site; child: Client }[] = [];
  readonly #timeline: { atNs: number; where: string; what: string }[] = [];
  /** Ends of ports that children have inherited: ours to close. */
  readonly #descriptors: number[] = [];
  #fabric: Fabric | null = null;
  #probeFar: Client | null = null;
  #stopBackground: (() => void) | null = null;

  constructor(experiment: Experiment, chosen: ChosenAttach, dir: string, epochNs: number, hooks: RunHooks) {
    this.#experiment = experiment;
    this.#chosen = chosen;
    this.#dir = dir;
    this.#epochNs = epochNs;
    this.#hooks = hooks;
    this.#rng = new Rng(experiment.seed);
  }

  /** Makes everything: afterwards the guest is booted at site A and the clients are attached, silent. */
  async build(): Promise<void> {
    const { migration, spin, background } = this.#experiment;
    const settings = fiberSettingsOf(this.#experiment);
    for (const warning of fiberWarnings(settings)) this.note(warning);
    this.#fabric = new Fabric({
      fiber: settings,
      timeline: fiberTimelineOf(this.#experiment),
      qos: migration.qos,
      spin,
      seed: `${this.#experiment.seed}/fiber`,
      onPortGone: (name) => this.#mark('fabric', `port ${name} is gone`),
      onFailure: (e) => this.note(`the fabric failed: ${e.message}`),
    });
    // The stations are made one after the other: each moves this thread through a namespace.
    for (const site of ['a', 'b'] as const) await this.#attach(hostStation(site));
    await Promise.all([this.#startHost('a'), this.#startHost('b')]);
    for (const [index, spec] of this.#experiment.clients.entries()) await this.#startClient(index, spec.site);
    for (const site of ['a', 'b'] as const) {
      // The round trip is measured between the sites, so each needs somebody who answers.
      if (!this.#clients.some((c) => c.site === site))
        await this.#startClient(this.#clients.length, site, true);
    }
    this.#stopBackground = await startBackground(this.#fabric, background);
  }

  /** Measures the round trip through both bridges and the fiber by ICMP. */
  async probe(): Promise<ProbeResult> {
    const near = this.#clients.find((c) => c.site === 'a')!.child;
    const far = this.#stations.find((s) => s.station.role === 'client' && s.station.site === 'b')!;
    const { count, intervalNs } = this.#experiment.probe;
    // A few to warm up: ARP, bridge tables, code that has not run yet.
    await near.ask({ type: 'probe', ip: far.station.ip, count: Math.min(20, count), intervalNs }, 'probed');
    return (await near.ask({ type: 'probe', ip: far.station.ip, count, intervalNs }, 'probed')).result;
  }

  /** Lets the guest run and the clients talk to it. The segment was quiet until now, for the probe's sake. */
  async startClients(): Promise<void> {
    this.#hosts.a!.send({ type: 'start-guest' });
    await this.#eachSession((c) => c.ask({ type: 'mark', what: 'before' }, 'marked'));
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
    let committed = false;
    let destinationOutcome: string | null = null;
    let missing: MissingFigures | null = null;
    const rounds: SourceReport['rounds'][number][] = [];
    source.onReply = (report) => {
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
        events.onEvent({
          type: 'round',
          migration: index,
          round: r.round,
          pagesSent: r.pagesSent + r.zeroPages,
          pagesTotal: this.#experiment.guest.memoryBytes / PAGE_SIZE,
          bytes: r.bytes,
          throughputBps: r.throughputBps,
          predictedPauseNs: r.predictedPauseNs ?? Number.NaN,
          etaNs: r.etaNs ?? Number.POSITIVE_INFINITY,
          confidence: r.confidence,
          verdict: r.verdict,
        });
      }
      if (report.type === 'event') {
        if (report.what.includes('COMMIT')) committed = true;
        this.#timeline.push({ atNs: report.atNs, where: `host ${from}`, what: report.what });
      }
    };
    destination.onReply = (report) => {
      if (report.type === 'event')
        this.#timeline.push({ atNs: report.atNs, where: `host ${to}`, what: report.what });
      if (report.type === 'destination-finished') {
        announcedNs = report.announcedNs;
        destinationOutcome = report.outcome;
        missing = report.missing;
      }
    };
    const finished = source.next('source-finished').then((r) => r.report);
    const migrationId = randomBytes(16).toString('hex');
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
        corruptPfn: testHooks?.corruptPage ?? null,
        hiddenPfn: testHooks?.hidePage ?? null,
      },
    });
    const limitMs = migration.limitNs / 1e6 + PATIENCE_MS;
    const ending = new AbortController();
    const late = sleep(limitMs, null, { signal: ending.signal }).catch(() => null);
    const report = await Promise.race([finished.catch(() => 'source-died' as const), late.then(() => null)]);
    ending.abort();
    if (report === null) {
      throw new LonghaulError(
        'LAB_MIGRATION_HANGS',
        `migration ${index} has not ended after ${Math.round(limitMs / 1000)} s`,
        {
          hint: 'raise the limit (migration.limit) if the link is that slow, else report it with the result file',
        },
      );
    }
    await this.#eachSession((c) => c.ask({ type: 'mark', what: 'after' }, 'marked'));
    await sleep(settleMs);
    const after = await this.snapshot();
    const clients = await this.#accounts();
    const context = {
      index,
      from,
      to,
      epochNs: this.#epochNs,
      announcedNs,
      missing,
      bytesOnWire: vmotionBytes(after, from) - vmotionBytes(before, from),
      clients,
    };
    if (report !== 'source-died') {
      const result = migrationResult(report, context);
      if (report.outcome === 'in-doubt' && !destination.alive) {
        return { ...result, reason: { code: report.code, text: `${report.text}; host ${to} has died` } };
      }
      return result;
    }
    return this.#sourceDied(context, startNs, rounds, committed, destinationOutcome);
  }

  /** Whether the guest can be moved again. */
  get hostsAlive(): boolean {
    return this.#hosts.a?.alive === true && this.#hosts.b?.alive === true;
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

  async memoryPeaks(): Promise<RunResult['memoryPeaks']> {
    const limit = this.#experiment.guest.memoryBytes + 160 * 2 ** 20;
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

  /** Ends every child, the fabric, the namespaces. Safe at any moment, also half-way through `build`. */
  async tearDown(): Promise<void> {
    this.#stopBackground?.();
    const clients = this.#clients.map(({ child }) => child);
    if (this.#probeFar) clients.push(this.#probeFar);
    await Promise.all([
      ...clients.map((c) => c.end({ type: 'end' })),
      ...Object.values(this.#hosts).map((h) => h.end({ type: 'end' })),
    ]);
    await this.#fabric?.stop();
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

  async #startHost(site: Site): Promise<void> {
    const { guest } = this.#experiment;
    const attached = this.#stations.find((s) => s.station.role === 'vmk' && s.station.site === site)!;
    const peer = this.#stations.find((s) => s.station.role === 'vmk' && s.station.site !== site)!;
    const nic = openNioUdpPair(NIC_BUFFER_BYTES);
    await this.#fabric!.addPort({
      name: `guest-${site}`,
      site,
      role: 'guest',
      kind: 'nio-udp',
      fd: nic.fabricFd,
    });
    const fds = [nic.farFd, (attached.netnsFd ?? attached.farFd)!];
    const host: Host = new Child({ name: `host ${site}`, file: HOST_PROCESS, netnsFd: null, fds });
    this.#hosts[site] = host;
    closeFd(nic.farFd); // the child has its own now
    void host.ended.then(({ asked, how }) => {
      if (!asked) this.#mark(`host ${site}`, how);
    });
    const vmk =
      attached.netnsFd !== null
        ? { kind: 'tcp' as const, netnsFd: inheritedFd(1) }
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
          nicFd: inheritedFd(0),
          nicFabricPort: nic.fabricPort,
          recordsPath: join(this.#dir, `host-${site}.records`),
          boots: site === 'a',
          guest: {
            name: GUEST_NAME,
            memoryBytes: guest.memoryBytes,
            mac: parseMac(guest.mac),
            ip: parseIpv4(guest.ip),
            fill: guest.fill,
            seed: this.#rng.fork('guest').u32(),
            dirty: {
              model: guest.dirty.model,
              pagesPerS: guest.dirty.pagesPerS,
              firstPage: 0,
              pages: Math.max(1, Math.floor(guest.dirty.hotSetBytes / PAGE_SIZE)),
              ...(guest.dirty.model === 'zipf' ? { alpha: guest.dirty.skew } : {}),
            },
          },
        },
      },
      'ready',
    );
    this.dirtyLog = ready.dirtyLog;
    if (ready.dirtyLog === 'scan' && site === 'a') this.note(`dirty log by ${ready.why}`);
  }

  async #startClient(index: number, site: Site, silent = false): Promise<void> {
    const spec = silent ? null : this.#experiment.clients[index]!;
    const attached = await this.#attach(clientStation(site, index));
    const { station, netnsFd, farFd, fabricUdpPort } = attached;
    const echo = netnsFd !== null && !rawSocketBuilt() ? await this.#attachEcho(site, index) : null;
    const inherited = farFd ?? echo?.farFd ?? null;
    const fds = inherited === null ? [] : [inherited];
    const child: Client = new Child({ name: `client ${site}${index}`, file: CLIENT_PROCESS, netnsFd, fds });
    if (silent) this.#probeFar = child;
    this.#clients.push({ site, child });
    const ready = await child.ask(
      {
        type: 'begin',
        orders: {
          clientId: index + 1,
          attach:
            netnsFd !== null
              ? { kind: 'kernel', echo: echo === null ? null : echo.attach }
              : {
                  kind: 'port',
                  fd: inheritedFd(0),
                  fabricUdpPort: fabricUdpPort!,
                  mac: station.mac,
                  ip: station.ip,
                },
          guestIp: parseIpv4(this.#experiment.guest.ip),
          guestPages: this.#experiment.guest.memoryBytes / PAGE_SIZE,
          icmpIntervalNs: spec?.icmpIntervalNs ?? null,
          serviceIntervalNs: spec?.serviceIntervalNs ?? null,
        },
      },
      'ready',
    );
    if (ready.note !== null) this.note(`client at ${site.toUpperCase()}: ${ready.note}`);
  }

  /** A port of the bridge for a client's echoes. */
  async #attachEcho(
    site: Site,
    index: number,
  ): Promise<{ readonly farFd: number; readonly attach: PortAttach }> {
    const { name, mac, ip } = echoStation(site, index);
    const pair = openNioUdpPair(NIC_BUFFER_BYTES);
    this.#descriptors.push(pair.farFd);
    await this.#fabric!.addPort({ name, site, role: 'client', kind: 'nio-udp', fd: pair.fabricFd });
    return { farFd: pair.farFd, attach: { fd: inheritedFd(0), fabricUdpPort: pair.fabricPort, mac, ip } };
  }

  async #eachSession(work: (c: Client) => Promise<unknown>): Promise<void> {
    await Promise.all(
      this.#clients.filter(({ child }) => child !== this.#probeFar).map(({ child }) => work(child)),
    );
  }

  async #accounts(): Promise<ClientResult[]> {
    const results: ClientResult[] = [];
    for (const { site, child } of this.#clients) {
      if (child === this.#probeFar) continue;
      const { icmp, service } = await child.ask({ type: 'account' }, 'accounted');
      if (icmp !== null) results.push(clientResult(site, 'icmp', icmp));
      if (service !== null) {
        results.push(clientResult(site, 'service', service));
        if (service.firstWrong !== null) this.note(`client at ${site.toUpperCase()}: ${service.firstWrong}`);
      }
    }
    return results;
  }

  /** The source was killed: where the guest is depends on how far the move had come. */
  async #sourceDied(
    context: Parameters<typeof migrationResult>[1],
    startNs: number,
    rounds: SourceReport['rounds'],
    committed: boolean,
    destinationOutcome: string | null,
  ): Promise<MigrationResult> {
    await sleep(ROUND_TRIP_SLACK_MS);
    const runs = destinationOutcome === 'running';
    const report: SourceReport = {
      outcome: runs ? 'completed' : 'aborted',
      code: 'LAB_HOST_DIED',
      text: `host ${context.from} has died`,
      startNs,
      startedReceivedNs: nowNs(),
      source: {
        pauseCalledNs: 0,
        guestPausedNs: 0,
        harvestedNs: 0,
        stateSavedNs: 0,
        pagesSentNs: 0,
        commitRecordedNs: 0,
        finalSentNs: 0,
      },
      destination: null,
      mode: null,
      rounds,
      served: null,
      pipeline: null,
      finalPages: 0,
      finalZeroPages: 0,
      finalBytes: 0,
      framesForwarded: 0,
      memoryIdentical: null,
      pagesDiffering: 0,
    };
    const result = migrationResult(report, context);
    const reason = { code: report.code, text: report.text };
    if (runs) return { ...result, outcome: 'completed', guestAt: context.to, reason };
    return { ...result, outcome: committed ? 'in-doubt' : 'lost', guestAt: null, reason };
  }

  /** Something that a reader of the result should know. */
  note(text: string): void {
    this.notes.push(text);
    this.#hooks.onEvent({ type: 'note', text });
  }

  #mark(where: string, what: string): void {
    this.#timeline.push({ atNs: nowNs(), where, what });
  }
}

/** Wire bytes that a site's vmk port has put into the fabric. */
function vmotionBytes(s: FabricSnapshot, site: Site): number {
  return s.ports
    .filter((p) => p.site === site && p.role === 'vmk')
    .reduce((sum, p) => sum + p.wireBytesIn, 0);
}
