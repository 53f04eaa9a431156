/** What every part of a world shares. */
import type { DestinationTimers, SourceTimers, TimelineEvent } from '../vmotion-protocol/index.js';
import type { HostCosts } from './costs.js';
import type { Judge } from './judge.js';
import type { SiteName, StretchedSegment } from './stretched-segment.js';
import type { TraceHash } from './trace-hash.js';
import type { Truth } from './truth.js';
import type { VirtualTime } from './virtual-time.js';

/** Deliberate faults of a driver or of the wire, by which the checks themselves are checked. */
export interface DriverFaults {
  /** Kept out of every harvest, as a faulty dirty log would. */
  readonly hiddenPfn?: number;
  /** Damaged on its way in every round, past all checksums. */
  readonly corruptPfn?: number;
  /** Frames that reach the source's port in the pause are dropped, as by a host that does not forward. */
  readonly isDeaf?: boolean;
}

export interface Surroundings {
  readonly time: VirtualTime;
  readonly trace: TraceHash;
  readonly segment: StretchedSegment;
  readonly truth: Truth;
  readonly judge: Judge;
  readonly costs: HostCosts;
  readonly faults: DriverFaults;
  readonly sourceTimers: Partial<SourceTimers>;
  readonly destinationTimers: Partial<DestinationTimers>;
  /** Between two attempts to reach the peer again, and between two questions of a source in doubt. */
  readonly redialNs: number;
  sendFrame(port: number, bytes: Uint8Array): void;
  /** A machine has told of itself. */
  reported(site: SiteName, role: 'source' | 'destination', event: TimelineEvent): void;
  /** A request to the service has reached the guest. */
  requested(site: SiteName, client: number, seq: number): void;
}
