/**
 * What a host takes for each step of a migration, so that simulated totals and pauses stand for real ones.
 *
 *   round     pages · sendPageNs at the source ─► fiber ─► pages · applyPageNs at the destination ─► roundNs
 *   pause     poise ─ park ─ harvest ─ save ─ final, flight ─ record ─► fiber ─► message ─ verify, drop ─ load ─ record ─ start
 *
 * `longhaul calibrate` measures them on a machine (`lab/calibration/`); the defaults are what it found on the machine of
 * docs/benchmarks.md. Nothing else in `sim/` knows a duration of a host. They hold what threads take from one
 * another on a machine with few cores while a move is under way, since they are measured in one.
 */
import { NS_PER_US } from '../core/index.js';

/** Every cost by name, and what it is the time of. */
export const COST_MEANINGS = {
  parkNs: "The pause call until the guest's thread stands",
  harvestNs: 'One harvest of the dirty log with nothing dirty',
  harvestPageNs: 'What each dirty page adds to that',
  saveStateNs: 'Saving the state of the guest’s devices',
  loadStateNs: 'Loading it',
  sendPageNs: 'One page hashed, sealed and handed to the transport',
  applyPageNs: 'One page taken from the transport, opened, placed and hashed',
  zeroPageNs: 'One page of zeros, at either end',
  messageNs: 'From the arrival of a control message until the thread that waits for it has read it',
  roundNs: 'What a round takes beside its pages: both threads woken, ROUND_DONE made',
  recordNs: 'One durable record',
  poiseNs: 'Before the pause call: the source plays what a pause takes, while the guest runs on',
  finalNs: 'Making the final flight, beside its pages',
  finalPageNs: 'One page of the final flight: as sendPageNs, while the guest stands',
  missingPageNs: 'What each page that goes after the switchover adds to that',
  verifyNs: 'Comparing the digests of memory and state',
  dropPageNs: 'What each page that is dropped before adds to that',
  prepareNs: 'Before the offer leaves: keys agreed on, links made',
  populatePageNs:
    'Each page of memory made ready at the destination before the first comes; not in post-copy',
  armNs: 'Opening the guest’s port and parking its thread at the start line',
  startNs: "The resume call until the guest's first instruction",
  faultNs: 'A fault on a missing page, from the touch until the request leaves',
  portNs: "A guest's or client's frame from a port of the bridge to whoever reads it there",
} as const;

export type CostName = keyof typeof COST_MEANINGS;

/** Durations in nanoseconds. */
export type HostCosts = Readonly<Record<CostName, number>>;

export const COST_NAMES = Object.keys(COST_MEANINGS) as readonly CostName[];

export const HOST_COSTS: HostCosts = Object.freeze({
  parkNs: 20 * NS_PER_US,
  harvestNs: 26 * NS_PER_US,
  harvestPageNs: 11,
  saveStateNs: 95 * NS_PER_US,
  loadStateNs: 10 * NS_PER_US,
  sendPageNs: 10_100,
  applyPageNs: 9_100,
  zeroPageNs: 2_100,
  messageNs: 260 * NS_PER_US,
  roundNs: 1_000 * NS_PER_US,
  recordNs: 55 * NS_PER_US,
  poiseNs: 2_000 * NS_PER_US,
  finalNs: 200 * NS_PER_US,
  finalPageNs: 3_000,
  missingPageNs: 100,
  verifyNs: 55 * NS_PER_US,
  dropPageNs: 130,
  prepareNs: 20_000 * NS_PER_US,
  populatePageNs: 900,
  armNs: 500 * NS_PER_US,
  startNs: 100 * NS_PER_US,
  faultNs: 25 * NS_PER_US,
  portNs: 15 * NS_PER_US,
});
