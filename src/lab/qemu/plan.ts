/**
 * What `longhaul qemu migrate` is to do: the experiment that both migrators share (fiber, guest memory, seed), and
 * what only QEMU has. All that can be refused is refused here, before anything is made.
 */
import { ConfigError, parseDuration, parseRate, Rng } from '../../core/index.js';
import { ACCELERATORS, type Accelerator, QEMU_MODES, type QemuMigrationOptions } from '../../qemu/index.js';
import type { Experiment } from '../config/experiment.js';
import { type Override, parseExperiment } from '../config/experiment-file.js';
import type { ExperimentInput } from '../config/experiment-keys.js';
import { commandLineOf, imageOf } from '../guest-orders.js';

export type QemuPlanErrorCode = 'LAB_QEMU_OPTION';

/** What was typed besides the options that name keys of an experiment. */
export interface QemuTyped {
  readonly mode?: string;
  readonly channels?: string;
  readonly downtimeLimit?: string;
  readonly bandwidth?: string;
  readonly accel?: string;
  /** Both memories are compared before the guest starts at the destination. */
  readonly verify?: boolean;
  /** The guest has so much less memory, and QEMU looks for dirty pages another way (docs/peers.md). */
  readonly dirtySync?: string;
  /** Path or name of the program. */
  readonly qemu?: string;
}

export interface QemuPlan {
  readonly experiment: Experiment;
  readonly program: string | null;
  readonly accelerator: 'auto' | Accelerator;
  readonly image: string;
  /** The guest's command line. */
  readonly parameters: string;
  /** What the guest writes to its serial line when it can be talked to. */
  readonly readyText: string;
  /** Bytes of memory that the guest has less than the experiment says. */
  readonly lessBytes: number;
  readonly verify: boolean;
  readonly migration: Omit<QemuMigrationOptions, 'compareAt'>;
}

const READY_TEXT = 'metal: ready';
const MAX_CHANNELS = 16;
/** `fast` looks at 64 pages at once where a block of memory is that well aligned, `slow` at each; `slow` by two pages less. */
const DIRTY_SYNCS = ['fast', 'slow'] as const;
const SLOW_SYNC_BYTES = 8192;
/** QEMU's own default is kept: 300 ms. */
const DOWNTIME_LIMIT = '300ms';
const DOWNTIME_RANGE = { min: 1e6, max: 2000e9, text: '1ms..2000s' };
const BANDWIDTH_RANGE = { min: 1e6, max: 1e11, text: '1Mbit..100Gbit' };

function oneOf<T extends string>(value: string, option: string, allowed: readonly T[]): T {
  const found = allowed.find((a) => a === value);
  if (found !== undefined) return found;
  throw new ConfigError<QemuPlanErrorCode>('LAB_QEMU_OPTION', `${option} ${value} is not known`, {
    hint: `choose one of ${allowed.join(', ')}`,
  });
}

function channelsOf(text: string | undefined, mode: string): number {
  if (text === undefined) return mode === 'multifd' ? 2 : 1;
  const n = /^\d{1,3}$/.test(text) ? Number(text) : 0;
  if (n < 1 || n > MAX_CHANNELS) {
    throw new ConfigError<QemuPlanErrorCode>(
      'LAB_QEMU_OPTION',
      `--channels ${text} is outside 1..${MAX_CHANNELS}`,
      { hint: 'give a whole number' },
    );
  }
  if (mode !== 'multifd' && n !== 1) {
    throw new ConfigError<QemuPlanErrorCode>(
      'LAB_QEMU_OPTION',
      `--channels ${n} stands beside mode ${mode}`,
      {
        hint: 'only --mode multifd has several',
      },
    );
  }
  return n;
}

/**
 * @param overrides options that name keys of an experiment
 * @param keys an experiment's own, for programs; options stand over them
 * @throws ConfigError with what is allowed
 */
export function qemuPlan(
  overrides: readonly Override[],
  typed: QemuTyped,
  keys: ExperimentInput = {},
): QemuPlan {
  const mode = oneOf(typed.mode ?? 'precopy', '--mode', QEMU_MODES);
  const channels = channelsOf(typed.channels, mode);
  const downtimeLimitNs = parseDuration(
    typed.downtimeLimit ?? DOWNTIME_LIMIT,
    '--downtime-limit',
    DOWNTIME_RANGE,
  );
  const bandwidth = typed.bandwidth ?? 'unlimited';
  const bandwidthBps =
    bandwidth === 'unlimited' ? null : parseRate(bandwidth, '--bandwidth', BANDWIDTH_RANGE);
  const dirtySync = oneOf(typed.dirtySync ?? 'fast', '--dirty-sync', DIRTY_SYNCS);
  const verify = typed.verify === true;
  if (verify && mode === 'postcopy') {
    throw new ConfigError<QemuPlanErrorCode>('LAB_QEMU_OPTION', '--verify stands beside --mode postcopy', {
      hint: 'in post-copy the guest runs before its memory is whole; leave --verify out',
    });
  }
  const accelerator = oneOf(typed.accel ?? 'auto', '--accel', ['auto', ...ACCELERATORS] as const);
  const base: ExperimentInput = {
    attach: 'netns',
    ...keys,
    guest: { kind: 'pc', fill: 'random', ...keys.guest },
  };
  // JSON is YAML: a program's keys take the way of a file's, so that options stand over them.
  const shared = parseExperiment({ name: 'keys', text: JSON.stringify(base) }, overrides);
  const experiment: Experiment = {
    ...shared,
    migration: {
      ...shared.migration,
      mode: mode === 'postcopy' ? 'postcopy' : 'precopy',
      transport: 'tcp',
      streams: channels,
      pauseTargetNs: downtimeLimitNs,
      secure: false,
      verify: false,
      compress: 'off',
      delta: 'off',
      dedup: 'off',
    },
  };
  return {
    experiment,
    program: typed.qemu ?? null,
    accelerator,
    image: imageOf(experiment.guest),
    // As the hosts of a run have it: the same machine, with the same content.
    parameters: commandLineOf(experiment.guest, new Rng(experiment.seed).fork('guest').u32()),
    readyText: READY_TEXT,
    lessBytes: dirtySync === 'slow' ? SLOW_SYNC_BYTES : 0,
    verify,
    migration: { mode, channels, downtimeLimitNs, bandwidthBps, limitNs: experiment.migration.limitNs },
  };
}
