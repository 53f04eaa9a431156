/**
 * From what was said to what is run: profiles looked up, every span and direction given its own
 * figures, keys that contradict each other refused where they stand.
 */
import { PAGE_SIZE } from '../../core/index.js';
import { type FiberSettings, resolveFiber, type Timeline } from '../../fiber/index.js';
import type { Experiment } from './experiment.js';
import type { ExperimentKeys } from './experiment-keys.js';
import { type FiberKeyErrorCode, type FiberKeys, fiberFrom } from './fiber-keys.js';
import type { Path } from './key-refusal.js';
import { orRefuse } from './lane-from.js';
import { laneConfigOf, laneSettingsOf, timelineConfigOf, timelineOf } from './lane-schema.js';
import { superFrameBytesFor } from './super-frames.js';

export type ResolveErrorCode = 'LAB_PROFILE' | 'LAB_CONFLICT' | 'LAB_MEMORY';

/** Refuses what stands at `path`; the caller knows whether that came from an option or a line of a file. */
export type Refuse = (
  path: Path,
  code: ResolveErrorCode | FiberKeyErrorCode,
  message: string,
  hint: string,
) => never;

/** @param folderOf the folder that a file named at a path is relative to */
export function resolveExperiment(
  keys: ExperimentKeys,
  refuse: Refuse,
  folderOf: (path: Path) => string = () => '.',
): Experiment {
  const testHooks = testHooksOf(keys, refuse);
  const fiber = fiberOf(keys.fiber, refuse, folderOf);
  return {
    name: keys.name,
    seed: keys.seed,
    attach: keys.attach,
    fiber,
    guest: guestOf(keys, refuse),
    clients: keys.clients.map((c) => ({
      site: c.site,
      icmpIntervalNs: c.icmp,
      serviceIntervalNs: c.service,
    })),
    probe: { count: keys.probe.count, intervalNs: keys.probe.interval },
    migration: {
      ...transportOf(keys, refuse),
      repeat: keys.migration.repeat,
      mode: keys.migration.mode,
      slowGuest: keys.migration['slow-guest'],
      compress: keys.migration.compress,
      delta: keys.migration.delta,
      dedup: keys.migration.dedup,
      streams: keys.migration.streams,
      pauseTargetNs: keys.migration['pause-target'],
      maxRounds: keys.migration['max-rounds'],
      limitNs: keys.migration.limit,
      cut: keys.migration.cut ?? null,
      doubtNs: keys.migration.doubt,
      qos: keys.migration.qos,
      secure: !keys.migration.insecure,
      durable: keys.migration.durable,
      memoryBacking: keys.migration['memory-backing'] ?? null,
      verify: keys.migration.verify === 'on',
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
    superFrameBytes: keys['super-frame'] ?? superFrameBytesFor(fiberSettingsOf({ fiber })),
    spin: keys.spin,
    keep: keys.keep,
    outDir: keys.out ?? null,
    ...(testHooks === null ? {} : { testHooks }),
  };
}

function fiberOf(keys: FiberKeys, refuse: Refuse, folderOf: (path: Path) => string): Experiment['fiber'] {
  const path = ['fiber'];
  const { options, timeline } = fiberFrom(keys, refuse, path, folderOf);
  const settings = orRefuse({ refuse, path }, () => resolveFiber(options));
  return {
    profile: settings.profile,
    spans: settings.spans.map(({ aToB, bToA }) => ({ aToB: laneConfigOf(aToB), bToA: laneConfigOf(bToA) })),
    timeline: timelineConfigOf(timeline),
  };
}

function memoryOf(guest: ExperimentKeys['guest']): number {
  return guest.memory ?? DEFAULT_MEMORY[guest.kind];
}

const DEFAULT_MEMORY = { workload: 256 * 2 ** 20, pc: 64 * 2 ** 20, linux: 96 * 2 ** 20 };
/** A machine's memory comes in such pieces, and has room for more than its image. */
const PC_MEMORY_STEP = 2 ** 20;
const PC_MEMORY_MIN = 4 * 2 ** 20;
const PC_MEMORY_MAX = 2 ** 30;
const LINUX_MEMORY_MIN = 64 * 2 ** 20;

/** What a machine cannot be asked for. */
function checkPc({ guest, attach, migration }: ExperimentKeys, memoryBytes: number, refuse: Refuse): void {
  if (guest.kind === 'workload') {
    for (const name of ['image', 'cmdline'] as const)
      if (guest[name])
        refuse(['guest', name], 'LAB_CONFLICT', 'is for guests of kind pc', 'set guest.kind to pc');
    return;
  }
  if (guest.kind === 'linux' && guest.image !== undefined)
    refuse(['guest', 'image'], 'LAB_CONFLICT', 'is for guests of kind pc', 'leave it out');
  if (guest.kind === 'linux' && memoryBytes < LINUX_MEMORY_MIN)
    refuse(['guest', 'memory'], 'LAB_MEMORY', 'is too little for Linux', 'write 96MiB, or 64MiB at least');
  if (memoryBytes % PC_MEMORY_STEP !== 0 || memoryBytes < PC_MEMORY_MIN || memoryBytes > PC_MEMORY_MAX)
    refuse(
      ['guest', 'memory'],
      'LAB_MEMORY',
      `a machine has 4MiB..1GiB in whole MiB, not ${memoryBytes} bytes`,
      'write 64MiB',
    );
  if (guest.dirty.model === 'zipf')
    refuse(
      ['guest', 'dirty'],
      'LAB_CONFLICT',
      'a machine knows idle, sweep and uniform',
      'choose one of them',
    );
  if (attach === 'sim')
    refuse(
      ['guest', 'kind'],
      'LAB_CONFLICT',
      'virtual time has no machines',
      'choose workload, or another attach',
    );
  if (migration['memory-backing'] !== undefined)
    refuse(
      ['migration', 'memory-backing'],
      'LAB_CONFLICT',
      'a machine’s memory is its emulator’s and cannot be a file',
      'leave it out, or choose guest.kind workload',
    );
}

function guestOf(all: ExperimentKeys, refuse: Refuse): Experiment['guest'] {
  const keys = all.guest;
  const memoryBytes = memoryOf(keys);
  checkPc(all, memoryBytes, refuse);
  if (memoryBytes % PAGE_SIZE !== 0) {
    refuse(
      ['guest', 'memory'],
      'LAB_MEMORY',
      `${memoryBytes} bytes are not whole pages of ${PAGE_SIZE}`,
      'write it in KiB, MiB or GiB, a multiple of 4KiB',
    );
  }
  const hotSetBytes = keys['hot-set'] ?? memoryBytes;
  if (hotSetBytes > memoryBytes) {
    refuse(
      ['guest', 'hot-set'],
      'LAB_CONFLICT',
      `is larger than the guest's memory of ${memoryBytes / 2 ** 20}MiB`,
      'choose one in 4KiB..guest.memory',
    );
  }
  return {
    kind: keys.kind,
    image: keys.image ?? null,
    cmdline: keys.cmdline,
    memoryBytes,
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

function transportOf(
  { attach, migration: { transport, congestion, rate, fec } }: ExperimentKeys,
  refuse: Refuse,
): Pick<Experiment['migration'], 'transport' | 'congestion' | 'rateBps' | 'fec'> {
  if (transport === 'tcp' && attach === 'loopback') {
    refuse(
      ['migration', 'transport'],
      'LAB_CONFLICT',
      'tcp needs a kernel network, which hosts of attach loopback have not',
      'choose udp, or attach netns',
    );
  }
  if (transport === 'tcp' && congestion === 'fixed') {
    refuse(
      ['migration', 'congestion'],
      'LAB_CONFLICT',
      'fixed is a model of the UDP transport, and the transport is tcp',
      'choose bbr or cubic, and limit TCP by migration.rate',
    );
  }
  if (congestion === 'fixed' && rate === null) {
    refuse(
      ['migration', 'congestion'],
      'LAB_CONFLICT',
      'fixed sends at the rate it is given, and none is given',
      'set migration.rate',
    );
  }
  return { transport, congestion, rateBps: rate, fec: fec === 'on' };
}

function testHooksOf(keys: ExperimentKeys, refuse: Refuse): NonNullable<Experiment['testHooks']> | null {
  const hooks = keys['test-hooks'];
  if (hooks === undefined) return null;
  const pages = memoryOf(keys.guest) / PAGE_SIZE;
  for (const name of ['corrupt-page', 'hide-page'] as const) {
    const pfn = hooks[name];
    if (pfn === undefined || pfn < pages) continue;
    refuse(
      ['test-hooks', name],
      'LAB_MEMORY',
      `${pfn} is no page of the guest, which has ${pages}`,
      `choose one in 0..${pages - 1}`,
    );
  }
  const { 'corrupt-page': corruptPage, 'hide-page': hidePage, 'signal-at': signalAt } = hooks;
  return {
    ...(corruptPage === undefined ? {} : { corruptPage }),
    ...(hidePage === undefined ? {} : { hidePage }),
    ...(signalAt === undefined ? {} : { signalAt }),
  };
}

/** The experiment's fiber as its machines take it: what is unlimited is `Infinity` there. */
export function fiberSettingsOf({ fiber }: Pick<Experiment, 'fiber'>): FiberSettings {
  return {
    profile: fiber.profile,
    spans: fiber.spans.map(({ aToB, bToA }) => ({ aToB: laneSettingsOf(aToB), bToA: laneSettingsOf(bToA) })),
  };
}

/** What changes on it while it runs. */
export function fiberTimelineOf({ fiber }: Pick<Experiment, 'fiber'>): Timeline {
  return timelineOf(fiber.timeline);
}
