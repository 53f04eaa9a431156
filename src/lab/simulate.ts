/**
 * Runs an experiment in virtual time: the same machines and the same result file, labelled `simulated`.
 *
 *   experiment ─► world (sim/) ─► probe ─► live ─► move, live, account … ─► result, with the digest of all that happened
 *
 * What a host takes for its steps is a stated model (`sim/costs.ts`), with figures built in or from a file of costs;
 * what the fiber and the bridges do is what their machines do. No time passes but that of the processor.
 */
import { setImmediate as yieldToLoop } from 'node:timers/promises';
import { LonghaulError, NS_PER_MS, NS_PER_S, PAGE_SIZE } from '../core/index.js';
import { fiberWarnings, queueOverrun, rttNs } from '../fiber/index.js';
import type { RoundReport, SourceReport } from '../host/index.js';
import { parseIpv4, parseMac } from '../l2/index.js';
import { guestSpec, outcomeOf, type SimCongestion, World, type WorldMigration } from '../sim/index.js';
import type { TimelineEvent } from '../vmotion-protocol/index.js';
import { BUILT_IN_COSTS, type Costs } from './calibration/costs-file.js';
import type { Experiment, Site } from './config/experiment.js';
import { fiberSettingsOf, fiberTimelineOf } from './config/resolve-experiment.js';
import { describeMachine, revision } from './machine.js';
import { type ClientResult, type MigrationResult, RESULT_VERSION, type RunResult } from './result.js';
import { clientResult, fabricResult, MODE_NAMES, migrationResult, rttResult } from './result-parts.js';
import { roundEvent } from './round-event.js';
import type { RunHooks } from './run-events.js';

const WHY = 'asked for: virtual time, deterministic from the seed';
const PIPELINE = ['compress', 'delta', 'dedup'] as const;
/** Clients go on this long after a move, so that what it did to them shows in its account. */
const SETTLE_NS = 500 * NS_PER_MS;
/** Beside two round trips. */
const LAST_ANSWERS_NS = 5 * NS_PER_MS;
/** Past a migration's own limit: then it hangs. */
const PATIENCE_NS = 30 * NS_PER_S;

/** How a simulation is made and watched; all of it may be left out. */
export interface SimulateOptions {
  /** What the hosts take for their steps. Default: the figures that are built in. */
  readonly costs?: Costs | undefined;
  readonly onEvent?: RunHooks['onEvent'];
  readonly signal?: AbortSignal;
}

/**
 * Runs the experiment in virtual time, whatever attach it names. The same experiment and costs give the same result.
 * @throws the signal's reason when it was aborted; LonghaulError LAB_MIGRATION_HANGS, LAB_RULE_BROKEN
 */
export async function simulateExperiment(
  experiment: Experiment,
  options: SimulateOptions = {},
): Promise<RunResult> {
  const startedAt = new Date();
  const { onEvent = () => {}, signal, costs = BUILT_IN_COSTS } = options;
  onEvent({ type: 'attach', attach: 'sim', why: `${WHY}; costs of hosts: ${costs.source}` });
  const run = new SimulatedRun(experiment, costs, onEvent);
  const { migration } = experiment;
  onEvent({ type: 'phase', migration: 0, phase: 'probe', from: 'a', to: 'b' });
  const rtt = rttResult({
    ...run.world.probe(experiment.probe.count, experiment.probe.intervalNs),
    method: 'bridge-port',
  });
  if (rtt !== null) onEvent({ type: 'rtt', rtt });
  run.world.startClients();
  run.world.live(migration.startAfterNs);
  const migrations: MigrationResult[] = [];
  let at: Site = 'a';
  for (let index = 0; index < migration.repeat; index++) {
    // Events reach whoever listens, and an interruption reaches us, between two moves.
    await yieldToLoop();
    signal?.throwIfAborted();
    const result = run.move(index, at, at === 'a' ? 'b' : 'a');
    migrations.push(result);
    onEvent({ type: 'migration', migration: index, of: migration.repeat, result });
    if (result.guestAt === null) break;
    at = result.guestAt;
    if (index + 1 < migration.repeat) run.world.live(migration.betweenNs);
  }
  return run.result(startedAt, rtt, migrations);
}

class SimulatedRun {
  readonly world: World;
  readonly #experiment: Experiment;
  readonly #costs: Costs;
  readonly #onEvent: RunHooks['onEvent'];
  readonly #notes: string[] = [];
  readonly #timeline: RunResult['timeline'] = [];
  readonly #rttNs: number;
  #rounds: RoundReport[] = [];
  #index = 0;

  constructor(experiment: Experiment, costs: Costs, onEvent: RunHooks['onEvent']) {
    this.#experiment = experiment;
    this.#costs = costs;
    this.#onEvent = onEvent;
    const { guest, clients, background, migration, seed, testHooks } = experiment;
    const fiber = fiberSettingsOf(experiment);
    this.#rttNs = rttNs(fiber);
    for (const warning of fiberWarnings(fiber)) this.#note(warning);
    if (migration.transport === 'udp') this.#note('simulated hosts send pages over TCP');
    if (PIPELINE.some((way) => migration[way] === 'on'))
      this.#note('simulated hosts send pages as they are: no compression, no deltas, no references');
    if (experiment.keep)
      this.#note('--keep has no meaning in virtual time: there is nothing to be left standing');
    this.world = new World({
      seed,
      guest: guestSpec({
        pages: guest.memoryBytes / PAGE_SIZE,
        fill: guest.fill,
        dirty: {
          model: guest.dirty.model,
          pagesPerS: guest.dirty.pagesPerS,
          hotPages: Math.max(1, Math.floor(guest.dirty.hotSetBytes / PAGE_SIZE)),
          ...(guest.dirty.model === 'zipf' ? { alpha: guest.dirty.skew } : {}),
        },
        mac: parseMac(guest.mac),
        ip: parseIpv4(guest.ip),
      }),
      clients,
      background,
      fiber,
      timeline: fiberTimelineOf(experiment),
      // A page hidden on purpose is found by the proof, as in a real run: the result tells of it.
      judgesMemory: testHooks?.hidePage === undefined,
      guestFirst: migration.qos === 'guest-first',
      costs: costs.values,
      transport: {
        openingTurns: openingTurns(migration.secure),
        congestion: isModel(migration.congestion) ? migration.congestion : costs.congestion,
        ...(migration.rateBps === null ? {} : { pageLinkBps: migration.rateBps / migration.streams }),
      },
      driverFaults: {
        ...(testHooks?.hidePage === undefined ? {} : { hiddenPfn: testHooks.hidePage }),
        ...(testHooks?.corruptPage === undefined ? {} : { corruptPfn: testHooks.corruptPage }),
      },
    });
    this.world.onReport = (site, role, event) => this.#reported(site, role, event);
  }

  move(index: number, from: Site, to: Site): MigrationResult {
    const { migration } = this.#experiment;
    this.#index = index;
    this.#rounds = [];
    const { world } = this;
    this.#mark('lab', `migration ${index} from ${from} to ${to} ordered`);
    const bytesBefore = world.segment.vmkWireBytes(from);
    const orders = {
      mode: MODE_NAMES[migration.mode],
      streams: migration.streams,
      pauseTargetNs: migration.pauseTargetNs,
      maxRounds: migration.maxRounds,
      limitNs: migration.limitNs,
      slowGuest: migration.slowGuest,
    };
    const moved = world.migrate(from, orders, migration.limitNs + PATIENCE_NS);
    this.#refuseBroken();
    if (outcomeOf(moved.source) === 'none' || outcomeOf(moved.source) === 'serving')
      throw new LonghaulError(
        'LAB_MIGRATION_HANGS',
        `migration ${index} has not come to an end in virtual time`,
        {
          hint: 'raise the limit (migration.limit) if the link is that slow, else report it with the seed',
        },
      );
    for (const client of world.clients) for (const book of [client.service, client.echo]) book?.mark('after');
    world.live(SETTLE_NS);
    // The last answers come in before the books are read.
    world.stopClients();
    world.live(LAST_ANSWERS_NS + 2 * this.#rttNs);
    this.#refuseBroken();
    const accounts = this.#accounts();
    world.startClients();
    return migrationResult(sourceReport(moved, this.#rounds), {
      index,
      from,
      to,
      epochNs: 0,
      announcedNs: moved.destinationHost.destination?.announcedNs ?? 0,
      missing: missingFigures(moved),
      bytesOnWire: world.segment.vmkWireBytes(from) - bytesBefore,
      parityUsed: 0,
      clients: accounts,
      copiesRunning: Object.values(world.hosts).filter((h) => h.isUp && h.guest.isRunning).length,
    });
  }

  result(startedAt: Date, rtt: RunResult['rtt'], migrations: MigrationResult[]): RunResult {
    const { world } = this;
    const fiber = world.segment.fiber.counters();
    const overrun = queueOverrun(fiber);
    if (overrun !== null) this.#notes.push(overrun.message);
    return {
      schema: RESULT_VERSION,
      label: 'simulated',
      startedAt: startedAt.toISOString(),
      durationNs: world.time.nowNs,
      seed: this.#experiment.seed,
      revision: revision(),
      machine: describeMachine('kernel'),
      attach: 'sim',
      traceHash: world.trace.digest(),
      costs: { source: this.#costs.source, congestion: this.#costs.congestion, values: this.#costs.values },
      profile: this.#experiment.fiber.profile,
      experiment: this.#experiment,
      rtt,
      security: null,
      lateness: null,
      fabric: fabricResult({
        fiber,
        bridges: { a: world.segment.bridges.a.counters(), b: world.segment.bridges.b.counters() },
      }),
      peer: null,
      processors: null,
      migrations,
      memoryPeaks: [],
      notes: this.#notes,
      timeline: this.#timeline,
    };
  }

  /** A world in which a rule was broken has no result. */
  #refuseBroken(): void {
    const { violation } = this.world;
    if (violation === null) return;
    throw new LonghaulError('LAB_RULE_BROKEN', `the simulated hosts broke ${violation.message}`, {
      hint: 'report it with the experiment and its seed',
    });
  }

  #accounts(): ClientResult[] {
    const results: ClientResult[] = [];
    for (const { site, echo, service } of this.world.clients) {
      for (const [kind, book] of [
        ['icmp', echo],
        ['service', service],
      ] as const) {
        if (book === null) continue;
        results.push(clientResult(site, kind, book.stats(), 0));
        book.reset();
      }
    }
    return results;
  }

  #reported(site: Site, role: 'source' | 'destination', event: TimelineEvent): void {
    this.#mark(`host ${site}`, event.text);
    if (role !== 'source' || event.type !== 'round') return;
    const { stats, verdict } = event;
    const round: RoundReport = {
      ...stats,
      predictedPauseNs: verdict?.predictedPauseNs ?? null,
      etaNs: verdict?.etaNs ?? null,
      confidence: verdict?.confidence ?? null,
      verdict: verdict === null ? null : `${verdict.action}: ${verdict.outlook ?? verdict.reason}`,
    };
    this.#rounds.push(round);
    this.#onEvent(roundEvent(this.#index, this.#experiment.guest.memoryBytes, round));
  }

  #mark(where: string, what: string): void {
    this.#timeline.push({ atNs: this.world.time.nowNs, where, what });
  }

  #note(text: string): void {
    this.#notes.push(text);
    this.#onEvent({ type: 'note', text });
  }
}

function isModel(congestion: Experiment['migration']['congestion']): congestion is SimCongestion {
  return congestion === 'bbr' || congestion === 'cubic';
}

/** Round trips until a link's opener may send: TCP's handshake, and on the first link that of TLS 1.3. */
function openingTurns(secure: boolean): Record<'control' | 'pages' | 'demand', number> {
  return { control: secure ? 2 : 1, pages: 1, demand: 1 };
}

/** What a real source would report of it. */
function sourceReport(
  { source, destinationHost }: WorldMigration,
  rounds: readonly RoundReport[],
): SourceReport {
  const { outcome, code, text } = source.ends[source.ends.length - 1]!;
  const { startNs, startedReceivedNs, ...instants } = source.times;
  const { served, final } = source;
  const compared = source.hashesCompared === destinationHost.guest.memory.pages;
  return {
    outcome,
    code,
    text,
    mode: source.mode,
    startNs,
    startedReceivedNs,
    source: instants,
    destination: source.destination,
    rounds,
    finalPages: final?.pages ?? 0,
    finalZeroPages: final?.zeroPages ?? 0,
    finalBytes: final?.bytes ?? 0,
    pipeline: null,
    served: served.demanded + served.pushed === 0 ? null : served,
    transport: null,
    framesForwarded: source.framesForwarded,
    linkBreaks: source.linkBreaks,
    pagesResent: 0,
    memoryIdentical: compared ? source.hashesDiffering === 0 : null,
    pagesDiffering: source.hashesDiffering,
  };
}

function missingFigures({
  destinationHost,
}: WorldMigration): Parameters<typeof migrationResult>[1]['missing'] {
  const { destination, guest } = destinationHost;
  if (destination === null || destination.pagesMissing === 0) return null;
  return {
    pagesMissing: destination.pagesMissing,
    faults: guest.faults,
    blockedNs: guest.blockedNs,
    completeNs: destination.completeNs,
    pagesDamaged: 0,
  };
}
