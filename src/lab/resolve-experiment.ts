/**
 * From what was said to what is run: profiles looked up, every span and direction given its own
 * figures, keys that contradict each other refused where they stand.
 */
import { ConfigError, PAGE_SIZE } from '../core/index.js';
import {
  type FiberErrorCode,
  type FiberSettings,
  type LaneSettings,
  PROFILES,
  resolveFiber,
  type SpanOptions,
} from '../fiber/index.js';
import type { Experiment, LaneConfig } from './experiment.js';
import type { ExperimentKeys } from './experiment-keys.js';
import { nearest } from './nearest.js';

export type ResolveErrorCode = 'LAB_PROFILE' | 'LAB_CONFLICT' | 'LAB_MEMORY';

/** Refuses what stands at `path`; the caller knows whether that came from an option or a line of a file. */
export type Refuse = (
  path: readonly PropertyKey[],
  code: ResolveErrorCode | FiberErrorCode,
  message: string,
  hint: string,
) => never;

type FiberKeys = ExperimentKeys['fiber'];
type SpanKeys = Omit<FiberKeys, 'profile' | 'spans'> & { readonly profile?: string | undefined };
type LaneKeys = NonNullable<FiberKeys['a-b']>;

export function resolveExperiment(keys: ExperimentKeys, refuse: Refuse): Experiment {
  const hooks = keys['test-hooks']?.['corrupt-page'];
  return {
    name: keys.name,
    seed: keys.seed,
    attach: keys.attach,
    fiber: fiberOf(keys.fiber, refuse),
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

function fiberOf(keys: FiberKeys, refuse: Refuse): Experiment['fiber'] {
  checkSpan(keys, ['fiber'], refuse);
  for (const [i, span] of (keys.spans ?? []).entries()) checkSpan(span, ['fiber', 'spans', i], refuse);
  let settings: FiberSettings;
  try {
    settings = resolveFiber({ ...spanOptions(keys), spans: keys.spans?.map(spanOptions) });
  } catch (e) {
    if (!(e instanceof ConfigError)) throw e;
    return refuse(['fiber'], e.code as FiberErrorCode, `cannot be: ${e.message}`, e.hint ?? 'change it');
  }
  const lane = ({ oneWayNs, rateBps, queueBytes, lossProb }: LaneSettings): LaneConfig => ({
    oneWayNs,
    rateBps: Number.isFinite(rateBps) ? rateBps : null,
    queueBytes,
    lossProb,
  });
  return {
    profile: settings.profile,
    spans: settings.spans.map(({ aToB, bToA }) => ({ aToB: lane(aToB), bToA: lane(bToA) })),
  };
}

/** Refuses at the key itself what `resolveFiber` would refuse for the fiber as a whole. */
function checkSpan(span: SpanKeys, path: readonly PropertyKey[], refuse: Refuse): void {
  const { profile: name } = span;
  if (name !== undefined && !Object.hasOwn(PROFILES, name)) {
    const meant = nearest(name, Object.keys(PROFILES));
    refuse(
      [...path, 'profile'],
      'LAB_PROFILE',
      `${JSON.stringify(name)} is no profile; the profiles are ${Object.keys(PROFILES).join(', ')}`,
      meant ? `did you mean ${meant}?` : 'longhaul profiles describes them',
    );
  }
  for (const [lane, at] of [
    [span, path],
    [span['a-b'], [...path, 'a-b']],
    [span['b-a'], [...path, 'b-a']],
  ] as const) {
    if (lane?.distance === undefined || lane['one-way'] === undefined) continue;
    refuse(
      [...at, 'one-way'],
      'LAB_CONFLICT',
      'says the delay a second time: a distance stands beside it',
      'keep one of distance and one-way',
    );
  }
}

function spanOptions(keys: SpanKeys): SpanOptions {
  const lane = (l: LaneKeys) => ({
    distanceM: l.distance,
    oneWayNs: l['one-way'],
    refractiveIndex: l['refractive-index'],
    rateBps: l.rate,
    queueBytes: l.queue,
    lossProb: l.loss,
  });
  const { 'a-b': there, 'b-a': back } = keys;
  return {
    profile: keys.profile,
    ...lane(keys),
    perDirection: { 'a-b': there && lane(there), 'b-a': back && lane(back) },
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

/** The experiment's fiber as its machines take it: an unlimited rate is `Infinity` there. */
export function fiberSettingsOf({ fiber }: Pick<Experiment, 'fiber'>): FiberSettings {
  const lane = (config: LaneConfig): LaneSettings => ({
    ...config,
    rateBps: config.rateBps ?? Number.POSITIVE_INFINITY,
    queueFrames: Number.POSITIVE_INFINITY,
    link: 'up',
  });
  return {
    profile: fiber.profile,
    spans: fiber.spans.map(({ aToB, bToA }) => ({ aToB: lane(aToB), bToA: lane(bToA) })),
  };
}
