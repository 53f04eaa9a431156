/** The source's options, checked and completed where the machine is built. */
import { ConfigError, NS_PER_MS } from '../core/index.js';
import { predictivePolicy } from './convergence.js';
import type { ConvergencePolicy } from './convergence-contract.js';
import { requireRange, type VmotionErrorCode } from './errors.js';
import {
  CODECS_MAX,
  GUEST_NAME_MAX,
  type MigrationMode,
  PAGES_MAX,
  STATE_BYTES_MAX,
  STREAMS_MAX,
} from './messages.js';
import { SOURCE_TIMERS, type SourceOptions, type SourceTimers } from './source-contract.js';

/** Without rounds nobody has said how many pages a pause may carry: those that a guest's first steps touch. */
const FLIGHT_PAGES = 16;

export interface ResolvedSourceOptions extends SourceOptions {
  readonly mode: MigrationMode;
  readonly stateBytesMax: number;
  readonly probes: number;
  readonly flightPages: number;
  readonly codecs: string;
  readonly timers: SourceTimers;
  readonly policy: ConvergencePolicy;
}

/** @throws ConfigError VMOTION_CONFIG_RANGE */
export function resolveSourceOptions(o: SourceOptions): ResolvedSourceOptions {
  requireId('migrationId', o.migrationId);
  requireId('storeId', o.storeId);
  requireRange('length of the guest name', o.guest.length, 1, GUEST_NAME_MAX);
  requireRange('epoch', o.epoch, 0, 0xffffffff);
  const codecs = o.codecs ?? '';
  requireRange('length of the codec list', codecs.length, 0, CODECS_MAX);
  requireRange('pages', o.pages, 1, PAGES_MAX);
  requireRange('streams', o.streams, 1, STREAMS_MAX);
  const limit = o.precopyLimitNs === undefined ? {} : { precopyNs: o.precopyLimitNs };
  const timers: SourceTimers = { ...SOURCE_TIMERS, ...limit, ...o.timers };
  for (const [name, ns] of Object.entries(timers)) {
    // Below a millisecond a scheduler's hiccup would end a migration.
    requireRange(`timers.${name}`, ns, NS_PER_MS, Number.POSITIVE_INFINITY, false);
  }
  return {
    ...o,
    mode: o.mode ?? 'pre-copy',
    timers,
    codecs,
    stateBytesMax: requireRange('stateBytesMax', o.stateBytesMax ?? STATE_BYTES_MAX, 0, STATE_BYTES_MAX),
    probes: requireRange('probes', o.probes ?? 4, 1, 100),
    flightPages: requireRange('flightPages', o.flightPages ?? FLIGHT_PAGES, 1, PAGES_MAX),
    policy:
      o.policy ??
      predictivePolicy({
        targetPauseNs: o.pauseTargetNs,
        roundsMax: o.maxRounds,
        slowGuest: o.slowGuest,
      }),
  };
}

function requireId(name: string, id: string): void {
  if (/^[0-9a-f]{32}$/.test(id)) return;
  throw new ConfigError<VmotionErrorCode>(
    'VMOTION_CONFIG_RANGE',
    `${name} ${JSON.stringify(id)} is not a name`,
    {
      details: { name, id },
      hint: 'give 32 lower-case hexadecimal digits, random ones',
    },
  );
}
