/**
 * Random worlds: a seed says everything that happens in one, and a world that breaks a rule is cut down to the least
 * that still breaks it.
 *
 *   seed ─► scenario (plain data) ─► world ─► verdict
 *              ▲                                │ broken
 *              └──────── with less in it ◄──────┘   faults first, then what hurts frames, then the guest's size
 */
import { NS_PER_MS, NS_PER_S, NS_PER_US, Rng } from '../core/index.js';
import { type FiberSettings, type LaneSettings, resolveFiber } from '../fiber/index.js';
import type { DirtyModelName } from '../guest/index.js';
import type { MigrationMode } from '../vmotion-protocol/index.js';
import { describeFault, type Fault, type FaultKind } from './faults.js';
import type { SiteName } from './stretched-segment.js';
import { guestSpec, type MigrationOrders, outcomeOf, World, type WorldOptions } from './world.js';

/** All that a world of the swarm is made of. */
export interface Scenario {
  readonly seed: string;
  readonly pages: number;
  readonly mode: MigrationMode;
  readonly streams: number;
  readonly dirtyModel: DirtyModelName;
  readonly pagesPerS: number;
  readonly oneWayNs: number;
  readonly rateBps: number;
  /** What the fiber does to frames, both ways. */
  readonly lane: Partial<LaneSettings>;
  readonly hasClients: boolean;
  readonly faults: readonly Fault[];
  /** This host never comes back once it died; of a doubt that is left then an operator says how it ends. */
  readonly buried: SiteName | null;
  /** Whether the guest, where it is well, is moved once more. */
  readonly again: boolean;
  /** A fault of the drivers' own, to see that the judge finds it. */
  readonly hiddenPfn?: number;
}

export interface ScenarioEnd {
  readonly migrations: number;
  readonly outcomes: readonly string[];
  /** `rule N: what`, or null. */
  readonly violation: string | null;
  readonly traceHash: string;
  readonly virtualNs: number;
}

const GUEST_MAC = 0x024c48000010;
const GUEST_IP = 0x0a50000a;
const QUEUE_BYTES = 4 * 2 ** 20;
const CLIENT_INTERVAL_NS = 5 * NS_PER_MS;
/** Hosts of a swarm are impatient: what takes seconds in a real one takes no longer than it must here. */
const SILENCE_NS = 400 * NS_PER_MS;
const REDIAL_NS = 20 * NS_PER_MS;
const RETRANSMIT_NS = 20 * NS_PER_MS;
const SEGMENT_NS = 200 * NS_PER_US;
const MIGRATION_LIMIT_NS = 30 * NS_PER_S;
const SETTLE_LIMIT_NS = 200 * NS_PER_S;
/** Clients go on for so long after a move, and then wait so long for their last answers. */
const AFTER_NS = 60 * NS_PER_MS;
const LAST_ANSWERS_NS = 60 * NS_PER_MS;

const SOURCE_PHASES = [
  'offering',
  'probing',
  'tracking',
  'round',
  'harvesting',
  'last-round',
  'pausing',
  'saving',
  'final-flight',
  'committing',
  'committed',
  'serving',
  'ending',
  'proving',
  'in-doubt',
  'returning',
].map((phase) => `source:${phase}`);
const DESTINATION_PHASES = [
  'preparing',
  'receiving',
  'verifying',
  'loading',
  'deciding',
  'starting',
  'filling',
  'running',
  'renouncing',
].map((phase) => `destination:${phase}`);
const WHENS = ['ordered', ...SOURCE_PHASES, ...DESTINATION_PHASES];

/** @param pages of the guest */
export function scenarioOf(seed: string, pages: number): Scenario {
  const rng = new Rng(seed).fork('scenario');
  const pick = <T>(from: readonly T[]): T => from[rng.below(from.length)]!;
  return {
    seed,
    pages,
    mode: pick(['pre-copy', 'post-copy', 'hybrid', 'hybrid']),
    streams: pick([1, 1, 2, 4]),
    dirtyModel: pick(['idle', 'sweep', 'uniform', 'zipf']),
    pagesPerS: pick([100, 3_000, 12_000, 40_000]),
    oneWayNs: pick([50, 400, 400, 1_000, 5_000]) * NS_PER_US,
    rateBps: pick([1e9, 10e9, 10e9]),
    lane: laneOf(rng.fork('lane')),
    hasClients: rng.chance(0.8),
    faults: faultsOf(rng.fork('faults')),
    buried: pick([null, null, null, 'a', 'b'] as const),
    again: rng.chance(0.25),
  };
}

function laneOf(rng: Rng): Partial<LaneSettings> {
  return {
    ...(rng.chance(0.4) ? { lossProb: 10 ** -(2 + 3 * rng.float()) } : {}),
    ...(rng.chance(0.2) ? { duplicateProb: 10 ** -(2 + 2 * rng.float()) } : {}),
    ...(rng.chance(0.2) ? { corruptProb: 10 ** -(3 + 2 * rng.float()) } : {}),
  };
}

function faultsOf(rng: Rng): Fault[] {
  const faults: Fault[] = [];
  const count = rng.below(5);
  for (let i = 0; i < count; i++) {
    const when = WHENS[rng.below(WHENS.length)]!;
    // From nothing to a tenth of a second, each decade as likely as the others.
    const afterNs = rng.chance(0.2) ? 0 : Math.round(10 ** (3 + 5 * rng.float()));
    faults.push(...faultsAt(rng, when, afterNs));
  }
  return faults;
}

/** One misfortune and, mostly, its end. */
function faultsAt(rng: Rng, when: string, afterNs: number): Fault[] {
  const host: SiteName = rng.chance(0.5) ? 'a' : 'b';
  const direction = (['a-b', 'b-a', 'both', 'both'] as const)[rng.below(4)]!;
  const lastsNs = Math.round(10 ** (6 + 3.3 * rng.float()));
  const pair = (first: FaultKind, then: FaultKind): Fault[] => {
    const fault = { when, afterNs, what: first };
    return rng.chance(0.85) ? [fault, { when, afterNs: afterNs + lastsNs, what: then }] : [fault];
  };
  switch (rng.below(9)) {
    case 0:
    case 1:
      return pair({ do: 'crash', host }, { do: 'restart', host });
    case 2:
    case 3:
      return pair({ do: 'link', direction, state: 'down' }, { do: 'link', direction, state: 'up' });
    case 4:
      return pair({ do: 'disk-full', host }, { do: 'disk-free', host });
    case 5:
      return [{ when, afterNs, what: { do: 'disk-slow', host, times: 10 ** (1 + rng.below(4)) } }];
    case 6:
      return [{ when, afterNs, what: { do: 'freeze', host, ns: lastsNs } }];
    case 7:
      return [{ when, afterNs, what: { do: 'clock-jump', host, ns: 10 * lastsNs } }];
    default:
      return rng.chance(0.3)
        ? [{ when, afterNs, what: { do: 'cancel' } }]
        : [
            {
              when,
              afterNs,
              what: {
                do: 'fiber',
                direction,
                set: {
                  lossProb: 0.05,
                  jitter: { model: 'uniform', halfWidthNs: 300 * NS_PER_US },
                  reorder: true,
                },
              },
            },
          ];
  }
}

export function runScenario(
  s: Scenario,
  keepTrace = false,
): ScenarioEnd & { readonly lines: readonly string[] } {
  const world = new World(worldOptions(s, keepTrace));
  world.startClients();
  world.live(10 * NS_PER_MS);
  move(world, 'a', s);
  const at = whereItRuns(world);
  if (s.again && at !== null && world.violation === null) move(world, at, s);
  world.stopClients();
  world.live(LAST_ANSWERS_NS);
  // A phase that was entered late has its faults late: whoever is judged at rest has to be able to come to rest.
  world.endFaults(s.buried);
  world.settle(SETTLE_LIMIT_NS);
  // A doubt may have begun since: whoever waits for a buried host is told.
  world.sayOfDoubt();
  world.settle(SETTLE_LIMIT_NS);
  const violation = world.verdict();
  return {
    migrations: world.migrations.length,
    outcomes: world.migrations.map((m) => outcomeOf(m.source)),
    violation: violation?.message ?? null,
    traceHash: world.trace.digest(),
    virtualNs: world.time.nowNs,
    lines: world.trace.lines,
  };
}

function move(world: World, from: SiteName, s: Scenario): void {
  const orders: MigrationOrders = {
    mode: s.mode,
    streams: s.streams,
    pauseTargetNs: NS_PER_MS,
    maxRounds: 6,
    limitNs: 20 * NS_PER_S,
    slowGuest: false,
  };
  world.migrate(from, orders, MIGRATION_LIMIT_NS);
  world.live(AFTER_NS);
  world.heal(s.buried);
  world.live(AFTER_NS);
  world.sayOfDoubt();
}

function whereItRuns(world: World): SiteName | null {
  for (const site of ['a', 'b'] as const) {
    const { guest, source, destination } = world.hosts[site];
    const free = (source === null || source.isOver) && (destination === null || destination.isOver);
    if (guest.isRunning && guest.missing.next(0) < 0 && free) return site;
  }
  return null;
}

function worldOptions(s: Scenario, keepTrace: boolean): WorldOptions {
  const clients = (['a', 'b'] as const).map((site) => ({
    site,
    icmpIntervalNs: null,
    serviceIntervalNs: CLIENT_INTERVAL_NS,
  }));
  return {
    seed: s.seed,
    guest: guestSpec({
      pages: s.pages,
      fill: 'mix',
      dirty: { model: s.dirtyModel, pagesPerS: s.pagesPerS, hotPages: s.pages },
      mac: GUEST_MAC,
      ip: GUEST_IP,
    }),
    clients: s.hasClients ? clients : [],
    fiber: fiberOf(s),
    sourceTimers: { startedNs: NS_PER_S, proofNs: 2 * NS_PER_S, readyNs: 2 * NS_PER_S },
    destinationTimers: { endedNs: 20 * NS_PER_S, finalNs: 10 * NS_PER_S, absentNs: 20 * NS_PER_S },
    silenceNs: SILENCE_NS,
    redialNs: REDIAL_NS,
    retransmitNs: RETRANSMIT_NS,
    segmentNs: SEGMENT_NS,
    faults: s.faults,
    driverFaults: s.hiddenPfn === undefined ? {} : { hiddenPfn: s.hiddenPfn },
    keepTrace,
  };
}

function fiberOf({ oneWayNs, rateBps, lane }: Scenario): FiberSettings {
  const plain = resolveFiber({ profile: 'metro-80km' });
  const set = { oneWayNs, rateBps, queueBytes: QUEUE_BYTES, ...lane };
  return {
    ...plain,
    spans: plain.spans.map(({ aToB, bToA }) => ({ aToB: { ...aToB, ...set }, bToA: { ...bToA, ...set } })),
  };
}

/**
 * The least of a scenario that still breaks a rule.
 * @param isBroken runs a scenario; called some tens of times
 */
export function shrink(scenario: Scenario, isBroken: (s: Scenario) => boolean): Scenario {
  let least = scenario;
  for (let shrunk = true; shrunk; ) {
    shrunk = false;
    for (const smaller of smallerThan(least)) {
      if (!isBroken(smaller)) continue;
      least = smaller;
      shrunk = true;
      break;
    }
  }
  return least;
}

function* smallerThan(s: Scenario): Generator<Scenario> {
  for (let i = 0; i < s.faults.length; i++) yield { ...s, faults: s.faults.filter((_, at) => at !== i) };
  if (s.buried !== null) yield { ...s, buried: null };
  if (s.again) yield { ...s, again: false };
  if (Object.keys(s.lane).length > 0) yield { ...s, lane: {} };
  if (s.hasClients) yield { ...s, hasClients: false };
  if (s.dirtyModel !== 'idle') yield { ...s, dirtyModel: 'idle' };
  if (s.streams > 1) yield { ...s, streams: 1 };
  if (s.pages > 256) yield { ...s, pages: 256 };
}

/** A scenario as lines for people. */
export function describeScenario(s: Scenario): string[] {
  const { faults, ...rest } = s;
  return [JSON.stringify(rest), ...faults.map((f) => `  ${describeFault(f)}`)];
}
