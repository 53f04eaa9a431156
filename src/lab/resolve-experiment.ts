/**
 * From what was said to what is run: profiles looked up, every span and direction given its own
 * figures, keys that contradict each other refused.
 *
 * Who says a lane's figure, the nearest first:
 *
 *   span's direction ─► span ─► fiber's direction ─► fiber ─► profile
 */
import { PAGE_SIZE } from '../core/index.js';
import { PROFILES } from '../fiber/index.js';
import type { Experiment, LaneConfig } from './experiment.js';
import type { ExperimentKeys } from './experiment-keys.js';
import { nearest } from './nearest.js';

export type ResolveErrorCode = 'LAB_PROFILE' | 'LAB_CONFLICT' | 'LAB_MEMORY';

/** Refuses what stands at `path`; the caller knows whether that came from an option or a line of a file. */
export type Refuse = (
  path: readonly PropertyKey[],
  code: ResolveErrorCode,
  message: string,
  hint: string,
) => never;

/** Light in glass: 5 µs a kilometre, a refractive index of 1.499. */
const NS_PER_M = 5;

type FiberKeys = ExperimentKeys['fiber'];
type SpanKeys = Omit<FiberKeys, 'profile' | 'spans'> & { profile?: string | undefined };
type LaneKeys = NonNullable<FiberKeys['a-b']>;

export function resolveExperiment(keys: ExperimentKeys, refuse: Refuse): Experiment {
  const hooks = keys['test-hooks']?.['corrupt-page'];
  return {
    name: keys.name,
    seed: keys.seed,
    attach: keys.attach,
    fiber: { profile: keys.fiber.profile, spans: spansOf(keys.fiber, refuse) },
    guest: guestOf(keys.guest, refuse),
    clients: keys.clients.map((c) => ({
      site: c.site,
      icmpIntervalNs: c.icmp,
      serviceIntervalNs: c.service,
    })),
    probe: { count: keys.probe.count, intervalNs: keys.probe.interval },
    migration: {
      repeat: keys.migration.repeat,
      streams: keys.migration.streams,
      pauseTargetNs: keys.migration['pause-target'],
      maxRounds: keys.migration['max-rounds'],
      limitNs: keys.migration.limit,
      qos: keys.migration.qos,
      startAfterNs: keys.migration['start-after'],
      betweenNs: keys.migration.between,
    },
    background: keys.background.flatMap((b) =>
      (b.direction === 'both' ? (['a-b', 'b-a'] as const) : [b.direction]).map((direction) => ({
        direction,
        rateBps: b.rate,
        frameBytes: b.frame,
      })),
    ),
    spin: keys.spin,
    keep: keys.keep,
    outDir: keys.out ?? null,
    ...(hooks === undefined ? {} : { testHooks: { corruptPage: corruptPage(hooks, keys, refuse) } }),
  };
}

function spansOf(fiber: FiberKeys, refuse: Refuse): Experiment['fiber']['spans'] {
  const at = ['fiber'];
  if (fiber.spans === undefined) {
    return [{ aToB: laneOf([fiber], 'a-b', at, refuse), bToA: laneOf([fiber], 'b-a', at, refuse) }];
  }
  return fiber.spans.map((span, i) => {
    const path = [...at, 'spans', i];
    const said: SpanKeys[] = [span, fiber];
    return { aToB: laneOf(said, 'a-b', path, refuse), bToA: laneOf(said, 'b-a', path, refuse) };
  });
}

/** @param said the span before the fiber @param path where the first of them stands */
function laneOf(
  said: readonly SpanKeys[],
  direction: 'a-b' | 'b-a',
  path: readonly PropertyKey[],
  refuse: Refuse,
): LaneConfig {
  const name = said.find((s) => s.profile !== undefined)!.profile!;
  const profile = Object.hasOwn(PROFILES, name) ? PROFILES[name] : undefined;
  if (profile === undefined) {
    const meant = nearest(name, Object.keys(PROFILES));
    const own = said[0]!.profile === undefined ? ['fiber'] : path;
    return refuse(
      [...own, 'profile'],
      'LAB_PROFILE',
      `${JSON.stringify(name)} is no profile; the profiles are ${Object.keys(PROFILES).join(', ')}`,
      meant ? `did you mean ${meant}?` : 'longhaul profiles describes them',
    );
  }
  // A level that names a profile begins anew: what stands above it is no longer heard.
  const heard = said.slice(0, said.findIndex((s) => s.profile !== undefined) + 1);
  const levels: LaneKeys[] = heard.flatMap((s) => [s[direction] ?? {}, s]);
  for (const [i, level] of levels.entries()) {
    if (level.distance === undefined || level['one-way'] === undefined) continue;
    const own = i < 2 ? path : ['fiber'];
    refuse(
      [...own, ...(i % 2 === 0 ? [direction] : []), 'one-way'],
      'LAB_CONFLICT',
      'says the delay a second time: a distance stands beside it',
      'keep one of distance and one-way',
    );
  }
  const first = <K extends keyof LaneKeys>(key: K) => levels.find((l) => l[key] !== undefined)?.[key];
  const delay = levels.find((l) => l.distance !== undefined || l['one-way'] !== undefined);
  const rateBps = first('rate') ?? profile.rateBps;
  return {
    oneWayNs:
      delay?.['one-way'] ??
      (delay?.distance === undefined ? profile.oneWayNs : Math.round(delay.distance * NS_PER_M)),
    rateBps: Number.isFinite(rateBps) ? rateBps : null,
    queueBytes: first('queue') ?? profile.queueBytes,
    lossProb: first('loss') ?? profile.lossProb,
  };
}

function guestOf(keys: ExperimentKeys['guest'], refuse: Refuse): Experiment['guest'] {
  if (keys.memory % PAGE_SIZE !== 0) {
    refuse(
      ['guest', 'memory'],
      'LAB_MEMORY',
      `${keys.memory} bytes are not whole pages of ${PAGE_SIZE}`,
      'write it in KiB, MiB or GiB, a multiple of 4KiB',
    );
  }
  const hotSetBytes = keys['hot-set'] ?? keys.memory;
  if (hotSetBytes > keys.memory) {
    refuse(
      ['guest', 'hot-set'],
      'LAB_CONFLICT',
      `is larger than the guest's memory of ${keys.memory / 2 ** 20}MiB`,
      'choose one in 4KiB..guest.memory',
    );
  }
  return {
    kind: 'workload',
    memoryBytes: keys.memory,
    fill: keys.fill,
    dirty: {
      model: keys.dirty.model,
      pagesPerS: keys.dirty.pagesPerS,
      hotSetBytes,
      skew: keys.dirty.model === 'zipf' ? keys.skew : 0,
    },
    mac: keys.mac,
    ip: keys.ip,
  };
}

function corruptPage(pfn: number, keys: ExperimentKeys, refuse: Refuse): number {
  const pages = keys.guest.memory / PAGE_SIZE;
  if (pfn < pages) return pfn;
  return refuse(
    ['test-hooks', 'corrupt-page'],
    'LAB_MEMORY',
    `${pfn} is no page of the guest, which has ${pages}`,
    `choose one in 0..${pages - 1}`,
  );
}
