/**
 * What a host takes for each step of a migration, so that simulated totals and pauses stand for real ones.
 *
 *   round     pages · sendPageNs at the source ─► fiber ─► pages · applyPageNs at the destination
 *   pause     park ─ harvest ∥ save ─ flight ─ record ─ message ─► fiber ─► verify ─ load ─ record ─ start
 *
 * The defaults are medians measured on the machine of docs ("Facts measured"): two cores, Node 20, kernel 6.18. Another
 * machine gives its own object; nothing else in `sim/` knows a duration of a host.
 * Left out: what threads take from one another on a machine with few cores.
 */
import { NS_PER_US } from '../core/index.js';

/** Durations in nanoseconds. */
export interface HostCosts {
  /** The pause call until the guest's thread stands. */
  readonly parkNs: number;
  /** One harvest of the dirty log with nothing dirty. */
  readonly harvestNs: number;
  /** What each dirty page adds to that. */
  readonly harvestPageNs: number;
  readonly saveStateNs: number;
  readonly loadStateNs: number;
  /** One page hashed, gathered and handed to the transport. */
  readonly sendPageNs: number;
  /** One page taken from the transport, placed and hashed. */
  readonly applyPageNs: number;
  /** One control message encoded and written, or read and decoded. */
  readonly messageNs: number;
  /** One durable record: a write to a preallocated file. */
  readonly recordNs: number;
  /** Comparing the digests of memory and state, and what is dropped before. */
  readonly verifyNs: number;
  /** The memory of the destination and its streams made ready. */
  readonly prepareNs: number;
  /** Opening the guest's port and parking its thread at the start line. */
  readonly armNs: number;
  /** The resume call until the guest's first instruction. */
  readonly startNs: number;
  /** A fault on a missing page, from the touch until the request leaves. */
  readonly faultNs: number;
  /** A guest's or client's frame from a port of the bridge to whoever reads it there. */
  readonly portNs: number;
}

export const HOST_COSTS: HostCosts = Object.freeze({
  parkNs: 15 * NS_PER_US,
  harvestNs: 120 * NS_PER_US,
  harvestPageNs: 11,
  saveStateNs: 10 * NS_PER_US,
  loadStateNs: 10 * NS_PER_US,
  sendPageNs: 1_700,
  applyPageNs: 1_900,
  messageNs: 20 * NS_PER_US,
  recordNs: 2 * NS_PER_US,
  verifyNs: 20 * NS_PER_US,
  prepareNs: 500 * NS_PER_US,
  armNs: 100 * NS_PER_US,
  startNs: 94 * NS_PER_US,
  faultNs: 25 * NS_PER_US,
  portNs: 15 * NS_PER_US,
});
