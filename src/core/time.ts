/**
 * Time is integer nanoseconds in a `number`. All instants of a run are nanoseconds of CLOCK_MONOTONIC
 * (process.hrtime; never performance.now, whose origin differs per thread) since an epoch that the lab
 * hands to every process.
 */
export const NS_PER_US = 1_000;
export const NS_PER_MS = 1_000_000;
export const NS_PER_S = 1_000_000_000;

/** A duration for people: three significant digits in the unit that fits. @param ns nanoseconds */
export function formatNs(ns: number): string {
  if (!Number.isFinite(ns)) return 'never';
  const abs = Math.abs(ns);
  if (abs < NS_PER_US) return `${Math.round(ns)} ns`;
  if (abs < NS_PER_MS) return `${significant(ns / NS_PER_US)} µs`;
  if (abs < NS_PER_S) return `${significant(ns / NS_PER_MS)} ms`;
  return `${significant(ns / NS_PER_S)} s`;
}

/** A rate for people. @param bps bits per second */
export function formatBps(bps: number): string {
  if (!Number.isFinite(bps)) return 'unlimited';
  for (const [unit, scale] of [
    ['Gbit/s', 1e9],
    ['Mbit/s', 1e6],
    ['kbit/s', 1e3],
  ] as const) {
    if (bps >= scale) return `${significant(bps / scale)} ${unit}`;
  }
  return `${Math.round(bps)} bit/s`;
}

/** A size for people, in binary units. @param bytes bytes */
export function formatBytes(bytes: number): string {
  for (const [unit, scale] of [
    ['GiB', 2 ** 30],
    ['MiB', 2 ** 20],
    ['KiB', 2 ** 10],
  ] as const) {
    if (bytes >= scale) return `${significant(bytes / scale)} ${unit}`;
  }
  return `${bytes} B`;
}

function significant(value: number): string {
  const abs = Math.abs(value);
  return value.toFixed(abs >= 99.95 ? 0 : abs >= 9.995 ? 1 : 2);
}
