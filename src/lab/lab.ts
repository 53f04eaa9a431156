/**
 * A run with our own hosts: builds it, moves the guest, takes it down. What it stands on are the stage, which a run of
 * another migrator's has too, and the hosts. What is pure is in `result-parts.ts` and `move-end.ts`.
 */
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { LonghaulError } from '../core/index.js';
import type { FabricSnapshot } from '../fabric/index.js';
import { typedPath } from '../guest/pc/index.js';
import {
  bareSourceReport,
  decodeRecords,
  INSECURE_WARNING,
  type MissingFigures,
  type Resolution,
  type SourceReport,
  type TransportOrders,
} from '../host/index.js';
import { makeFifo, nowNs } from '../sys/index.js';
import type { AttachedStation, ChosenAttach } from './attach.js';
import type { ProbeResult } from './client/protocol.js';
import type { Experiment, Site } from './config/experiment.js';
import { FiberCut } from './fiber-cut.js';
import { GUEST_NAME } from './guest-orders.js';
import { type Host, Hosts } from './hosts.js';
import type { LinuxState } from './linux-state.js';
import { endByDeath, type MoveEvidence } from './move-end.js';
import type { MigrationResult, RunResult } from './result.js';
import { MODE_NAMES, migrationResult, pipelineOrders } from './result-parts.js';
import { roundEvent } from './round-event.js';
import type { RunHooks } from './run-events.js';
import { hostBytes, Stage } from './stage.js';
import type { Staged } from './staged.js';
import { within } from './within.js';

/** Longest wait for a migration's end past its own limits: then a host hangs, and the run says so. */
const PATIENCE_MS = 30_000;
/** Where the guest runs, and what its move has come to, once a host that was started again has settled its doubt. */
const RECOVERED: Partial<Record<Resolution['outcome'], readonly ['from' | 'to', 'stayed' | 'completed']>> = {
  resumed: ['from', 'stayed'],
  released: ['to', 'completed'],
  closed: ['to', 'completed'],
};
/** Within this time the fabric has cut a fiber. */
const CUT_HOLD_NS = 100_000_000;
/** What a host that dies has sent or written is known after so long. */
const DEATH_SLACK_MS = 100;
/** A source that is told to cancel answers within this time, unless it cannot any more. */
const SOURCE_LEARNS_MS = 2000;
/** A doubt that the hosts settle among themselves is not worth a word. */
const DOUBT_SILENT_MS = 1000;

export class Lab implements Staged {
  readonly #experiment: Experiment;
  readonly #stage: Stage;
  readonly #hosts: Hosts;
  readonly #epochNs: number;
  readonly #hooks: RunHooks;

  constructor(
    experiment: Experiment,
    chosen: ChosenAttach,
    transport: TransportOrders,
    dir: string,
    epochNs: number,
    hooks: RunHooks,
    linux: LinuxState | null = null,
  ) {
    this.#experiment = experiment;
    this.#stage = new Stage(experiment, chosen, epochNs, hooks);
    this.#hosts = new Hosts(experiment, this.#stage, transport, dir, linux);
    this.#epochNs = epochNs;
    this.#hooks = hooks;
  }

  get notes(): string[] {
    return this.#stage.notes;
  }

  get dirtyLog(): Hosts['dirtyLog'] {
    return this.#hosts.dirtyLog;
  }

  /** Whether the guest can be moved again. */
  get hostsAlive(): boolean {
    return this.#hosts.allAlive;
  }

  /** Makes everything: afterwards the guest is booted at site A and the clients are attached, silent. */
  async build(): Promise<void> {
    if (!this.#experiment.migration.secure) this.note(INSECURE_WARNING);
    await this.#stage.open('longhaul run');
    if (this.#experiment.guest.kind !== 'workload') makeFifo(typedPath(this.#hosts.consolePath));
    await this.#hosts.start();
    await this.#stage.admitClients();
  }

  /** Measures the round trip through both bridges and the fiber by ICMP. */
  async probe(): Promise<ProbeResult> {
    return this.#stage.sessions.probe();
  }

  /** Lets the guest run and the clients talk to it. The segment was quiet until now, for the probe's sake. */
  async startClients(): Promise<void> {
    this.#hosts.at('a').send({ type: 'start-guest' });
    if (this.#experiment.guest.kind === 'pc') await this.#stage.sessions.awaitGuest();
    await this.#stage.sessions.mark('before');
    this.#stage.mark('lab', 'client sessions started');
  }

  /** One move of the guest. A host that dies is an outcome, not an exception. */
  async migrate(index: number, from: Site, to: Site, settleMs: number): Promise<MigrationResult> {
    const { migration, testHooks } = this.#experiment;
    const source = this.#hosts.at(from);
    const destination = this.#hosts.at(to);
    const events = { onEvent: this.#hooks.onEvent };
    const before = await this.#stage.snapshot();
    const startNs = nowNs();
    let announcedNs = 0;
    let guestThere: MoveEvidence['guestThere'] = 'no';
    let missing: MissingFigures | null = null;
    let parityUsed = 0;
    const rounds: SourceReport['rounds'][number][] = [];
    const cut =
      migration.cut === null
        ? null
        : new FiberCut(migration.cut, this.#stage.fabric, (what) => this.#stage.mark('fabric', what));
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
        this.#stage.happened(report.atNs, `host ${from}`, report.what);
      }
    };
    destination.onReply = (report) => {
      cut?.heard(report);
      if (report.type === 'guest-here') guestThere = report.whole ? 'whole' : 'lacks-pages';
      if (report.type === 'event') this.#stage.happened(report.atNs, `host ${to}`, report.what);
      if (report.type === 'destination-finished') {
        announcedNs = report.announcedNs;
        if (announcedNs > 0) this.#stage.happened(announcedNs, `host ${to}`, 'the guest is announced');
        missing = report.missing;
        parityUsed = report.parityUsed;
      }
    };
    const finished = source.next('source-finished');
    const migrationId = randomBytes(16).toString('hex');
    const { signalAt } = testHooks ?? {};
    if (signalAt !== undefined)
      this.#hosts.at(signalAt.site).send({
        type: 'signal-at',
        point: signalAt.point,
        signal: signalAt.signal,
      });
    this.#stage.mark('lab', `migration ${index} from ${from} to ${to} ordered`);
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
      this.#stage.note(`move ${index + 1} had no ${migration.cut!.phase} to cut the fiber in`);
    await this.#stage.sessions.mark('after');
    await sleep(settleMs);
    const after = await this.#stage.snapshot();
    const clients = await this.#stage.sessions.accounts();
    const context = {
      index,
      from,
      to,
      epochNs: this.#epochNs,
      announcedNs,
      missing,
      parityUsed,
      bytesOnWire: hostBytes(after, from) - hostBytes(before, from),
      clients,
      copiesRunning: await this.#hosts.copiesRunning(),
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
      decision: decisionOf(this.#hosts.recordsPath(to), migrationId),
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

  /** A guest in memory that survives its host: the host is started again, and what stood committed there is settled. */
  async #afterDeath(
    from: Site,
    to: Site,
  ): Promise<Pick<MigrationResult, 'outcome' | 'guestAt' | 'reason'> | null> {
    const recovered = this.#hosts.keepMemory ? await this.#hosts.recover(from) : null;
    if (recovered === null) return null;
    const [at, outcome] = RECOVERED[recovered.outcome] ?? [null, 'in-doubt'];
    const text = [`host ${from} has died`, ...recovered.lines].join('; ');
    const guestAt = at === null ? null : { from, to }[at];
    return { outcome, guestAt, reason: { code: 'LAB_HOST_STARTED_AGAIN', text } };
  }

  note(text: string): void {
    this.#stage.note(text);
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

  security(): Promise<RunResult['security']> {
    return this.#hosts.security();
  }

  peer(): null {
    return null;
  }

  memoryPeaks(): Promise<RunResult['memoryPeaks']> {
    return this.#hosts.memoryPeaks();
  }

  /**
   * Ends every child, the fabric, the namespaces. Safe at any moment, also half-way through `build`.
   * @param inDoubt memory that survives its host stays, as the records do, for `host resolve`
   */
  async tearDown(inDoubt = false): Promise<void> {
    await this.#stage.tearDown(this.#hosts.end());
    this.#hosts.remove(inDoubt);
  }
}

function decisionOf(recordsPath: string, migrationId: string): 'RUNNING' | 'NEVER' | null {
  for (const { kind, migrationId: id } of decodeRecords(readFileSync(recordsPath)))
    if ((kind === 'RUNNING' || kind === 'NEVER') && Buffer.from(id).toString('hex') === migrationId)
      return kind;
  return null;
}
