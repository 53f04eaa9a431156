/**
 * What changes on a fiber while it runs, written down beforehand.
 *
 *   epoch ── atNs ──► set ── atNs ──► set … ┐      one track; several run side by side
 *     ▲─────────── repeatNs ────────────────┘
 *
 * Tracks are a person's time line and the playback of traces (trace.ts). At one instant the first track
 * comes first, and within it the order of writing. A track that repeats does not undo what its last entry
 * set: it begins with its first again.
 */
import { formatNs, type Machine, NS_PER_MS, type Woke } from '../core/index.js';
import type { LaneChanged } from './lane-contract.js';
import { refuse, within } from './refuse.js';
import { checkLane, type Direction, type LaneSettings } from './settings.js';

/** Settings changed while the fiber runs, of one lane or several; see `checkLane`. A span it does not have is no one's. */
export interface FiberChanged extends LaneChanged {
  readonly direction: Direction | 'both';
  /** Counted from site A; left out, all of them. */
  readonly span?: number;
}

/** Plain JSON but for the Infinity of an unlimited rate. */
export interface TimelineEntry {
  /** Since the epoch, whole nanoseconds. */
  readonly atNs: number;
  readonly direction: Direction | 'both';
  /** Counted from site A; left out, all of them. */
  readonly span?: number | undefined;
  readonly set: Partial<LaneSettings>;
}

export interface Track {
  /** In order of time. */
  readonly entries: readonly TimelineEntry[];
  /** The entries come again after so long, later than the last of them; null for once. */
  readonly repeatNs: number | null;
}

export type Timeline = readonly Track[];

/** A change of everything on every entry of a year's trace is still no more than this. */
export const MAX_ENTRIES = 1_000_000;
const MAX_AT_NS = 1e15;
/** A driver that sleeps for an hour must not find millions of changes due. */
const MIN_REPEAT_NS = NS_PER_MS;

/**
 * Checks a track and puts its entries in order of time.
 * @param spans how many the fiber has
 * @throws ConfigError `FIBER_TIMELINE`, or what `checkLane` throws
 */
export function checkTrack(track: Track, spans: number, where = 'time line'): Track {
  const wrong = (what: string, details: object, hint: string): never =>
    refuse('FIBER_TIMELINE', `${where}: ${what}`, details, { hint });
  const { repeatNs } = track;
  if (track.entries.length > MAX_ENTRIES) {
    const details = { entries: track.entries.length };
    wrong(
      `${track.entries.length} changes are more than ${MAX_ENTRIES}`,
      details,
      'interpolate more coarsely',
    );
  }
  const entries = track.entries.map((entry, i) => {
    const { atNs, direction, span } = entry;
    if (!within(atNs, 0, MAX_AT_NS)) {
      wrong(`entry ${i} is at ${atNs} ns`, { atNs }, 'times count from the start and end with 11 days');
    }
    if (span !== undefined && !(Number.isInteger(span) && within(span, 0, spans - 1))) {
      wrong(
        `entry ${i} is of span ${span}, outside 0..${spans - 1}`,
        { span },
        'spans count from 0, site A first',
      );
    }
    const set = checkLane(entry.set, `${where} entry ${i}`);
    return { atNs: Math.round(atNs), direction, ...(span === undefined ? {} : { span }), set };
  });
  entries.sort((a, b) => a.atNs - b.atNs); // stable: at one instant as written
  const lastNs = entries.at(-1)?.atNs ?? 0;
  if (repeatNs !== null && !(within(repeatNs, MIN_REPEAT_NS, MAX_AT_NS) && repeatNs > lastNs)) {
    const details = { repeatNs, lastNs };
    wrong(
      `it repeats every ${formatNs(repeatNs)}, which is below 1 ms or not later than its last entry at ${formatNs(lastNs)}`,
      details,
      'repeat after a time that is longer than the last entry',
    );
  }
  return { entries, repeatNs: repeatNs === null ? null : Math.round(repeatNs) };
}

/** A track under way. */
interface Playing {
  readonly entries: readonly { readonly atNs: number; readonly event: FiberChanged }[];
  readonly repeatNs: number | null;
  /** When its present round began. */
  startNs: number;
  next: number;
}

/** Gives the changes that are due, each in its turn. */
export class FiberTimeline implements Machine<Woke, FiberChanged> {
  readonly #tracks: readonly Playing[];
  #nextNs: number;

  /** @param timeline checked tracks @param epochNs the instant their times count from */
  constructor(timeline: Timeline, epochNs: number) {
    this.#tracks = timeline.map(({ entries, repeatNs }) => ({
      entries: entries.map(({ atNs, direction, span, set }) => ({
        atNs,
        event: { type: 'changed', direction, set, ...(span === undefined ? {} : { span }) },
      })),
      repeatNs,
      startNs: epochNs,
      next: 0,
    }));
    this.#nextNs = this.#earliestNs();
  }

  /** Appends what is due by `nowNs`, in order of time. To apply each change at its own instant, step to `nextWakeNs()`. */
  step(nowNs: number, _event: Woke, out: FiberChanged[]): void {
    while (this.#nextNs <= nowNs) {
      for (const track of this.#tracks) {
        while (dueNs(track) === this.#nextNs) {
          out.push(track.entries[track.next]!.event);
          advance(track);
        }
      }
      this.#nextNs = this.#earliestNs();
    }
  }

  nextWakeNs(): number {
    return this.#nextNs;
  }

  #earliestNs(): number {
    let earliest = Number.POSITIVE_INFINITY;
    for (const track of this.#tracks) earliest = Math.min(earliest, dueNs(track));
    return earliest;
  }
}

function dueNs({ entries, startNs, next }: Playing): number {
  const entry = entries[next];
  return entry === undefined ? Number.POSITIVE_INFINITY : startNs + entry.atNs;
}

function advance(track: Playing): void {
  track.next++;
  if (track.next < track.entries.length || track.repeatNs === null) return;
  track.next = 0;
  track.startNs += track.repeatNs;
}
