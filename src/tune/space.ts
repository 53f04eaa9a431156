/**
 * What is tuned: the parameters of a migration, the values that each may take, and candidates drawn from them.
 *
 *   simulated      mode, streams, congestion, pause target, rounds, rate: virtual time tells their candidates apart
 *   measured only  transport, FEC, compression, deltas, dedup: simulated hosts send pages as they are over TCP, so
 *                  these are tried on real hosts alone
 *
 * Left out: chunk and window, which no key of the experiment sets.
 */
import { NS_PER_MS, NS_PER_US, Rng } from '../core/index.js';
import type { Experiment } from '../lab/config/experiment.js';

type Migration = Experiment['migration'];
export type Tuned = Pick<
  Migration,
  | 'mode'
  | 'streams'
  | 'congestion'
  | 'pauseTargetNs'
  | 'maxRounds'
  | 'rateBps'
  | 'transport'
  | 'fec'
  | 'compress'
  | 'delta'
  | 'dedup'
>;

/** What differs from the default. */
export type Candidate = Partial<Tuned>;

export interface Parameter {
  readonly name: keyof Tuned;
  readonly values: readonly Tuned[keyof Tuned][];
  /** Whether virtual time can tell its values apart. */
  readonly simulated: boolean;
}

/** @param linkBps of the slowest span; null when unlimited: then there is no rate to keep below */
export function parametersFor(linkBps: number | null): Parameter[] {
  const rates = linkBps === null ? [null] : [null, Math.round(0.95 * linkBps), Math.round(0.8 * linkBps)];
  return [
    { name: 'mode', values: ['precopy', 'postcopy', 'hybrid'], simulated: true },
    { name: 'streams', values: [1, 2, 4, 8], simulated: true },
    { name: 'congestion', values: ['auto', 'bbr', 'cubic'], simulated: true },
    {
      name: 'pauseTargetNs',
      values: [300 * NS_PER_US, NS_PER_MS, 3 * NS_PER_MS, 10 * NS_PER_MS],
      simulated: true,
    },
    { name: 'maxRounds', values: [3, 8, 30], simulated: true },
    { name: 'rateBps', values: rates, simulated: true },
    { name: 'transport', values: ['auto', 'udp'], simulated: false },
    { name: 'fec', values: [true, false], simulated: false },
    { name: 'compress', values: ['auto', 'on', 'off'], simulated: false },
    { name: 'delta', values: ['auto', 'on', 'off'], simulated: false },
    { name: 'dedup', values: ['auto', 'on', 'off'], simulated: false },
  ];
}

/** Without values that are the default's, or that its own mode never looks at. */
export function trimmed(candidate: Candidate, base: Migration): Candidate {
  const mode = candidate.mode ?? base.mode;
  const unused = mode === 'postcopy' ? ['pauseTargetNs', 'maxRounds'] : [];
  return Object.fromEntries(
    Object.entries(candidate).filter(
      ([name, v]) => v !== base[name as keyof Tuned] && !unused.includes(name),
    ),
  );
}

const UNITS: Readonly<Record<string, (v: never) => string>> = {
  pauseTargetNs: (ns: number) => (ns >= NS_PER_MS ? `${ns / NS_PER_MS}ms` : `${ns / NS_PER_US}us`),
  rateBps: (bps: number | null) => (bps === null ? 'unlimited' : `${Math.round(bps / 1e6)}Mbit`),
  fec: (on: boolean) => (on ? 'on' : 'off'),
};

/** A value as the experiment file has it. */
export function valueText(name: string, v: unknown): string {
  return UNITS[name]?.(v as never) ?? String(v);
}

/** Names of parameters as the experiment file has them. */
export const KEY_NAMES: Readonly<Record<keyof Tuned, string>> = {
  mode: 'mode',
  streams: 'streams',
  congestion: 'congestion',
  pauseTargetNs: 'pause-target',
  maxRounds: 'max-rounds',
  rateBps: 'rate',
  transport: 'transport',
  fec: 'fec',
  compress: 'compress',
  delta: 'delta',
  dedup: 'dedup',
};

/** `mode postcopy, streams 4`, or `default`: the candidate's name, equal for equal ones. */
export function candidateName(candidate: Candidate): string {
  const words = Object.keys(KEY_NAMES).flatMap((name) =>
    name in candidate
      ? [`${KEY_NAMES[name as keyof Tuned]} ${valueText(name, candidate[name as keyof Tuned])}`]
      : [],
  );
  return words.join(', ') || 'default';
}

/**
 * The default first, then each other mode alone, then draws from the whole simulated space; no two alike.
 * @param count how many, the default included; fewer where the space has no more
 */
export function drawCandidates(
  parameters: readonly Parameter[],
  base: Migration,
  count: number,
  seed: number,
): Candidate[] {
  const rng = new Rng(seed).fork('candidates');
  const searched = parameters.filter((p) => p.simulated);
  const found = new Map<string, Candidate>();
  const add = (candidate: Candidate): void => {
    const one = trimmed(candidate, base);
    found.set(candidateName(one), one);
  };
  add({});
  for (const mode of searched.find((p) => p.name === 'mode')?.values ?? []) add({ mode } as Candidate);
  for (let tries = 0; found.size < count && tries < 50 * count; tries++)
    add(
      Object.fromEntries(
        searched.map(({ name, values }) => [name, values[rng.below(values.length)]]),
      ) as Candidate,
    );
  return [...found.values()].slice(0, Math.max(1, count));
}

/** One measured-only parameter changed at a time. */
export function variationsOf(
  candidate: Candidate,
  parameters: readonly Parameter[],
  base: Migration,
): Candidate[] {
  const single = parameters
    .filter((p) => !p.simulated && p.name !== 'fec')
    .flatMap(({ name, values }) =>
      values.filter((v) => v !== (candidate[name] ?? base[name])).map((v) => ({ ...candidate, [name]: v })),
    );
  // Congestion and streams are the kernel's words; parity exists over UDP alone.
  const { congestion: _c, streams: _s, ...plain } = candidate;
  const overUdp = single.flatMap((c) =>
    c.transport === 'udp' ? [{ ...plain, transport: 'udp' as const }] : [c],
  );
  return [...overUdp, { ...plain, transport: 'udp' as const, fec: false }].map((c) => trimmed(c, base));
}

export function applied(base: Experiment, candidate: Candidate): Experiment {
  return { ...base, migration: { ...base.migration, ...candidate } };
}
