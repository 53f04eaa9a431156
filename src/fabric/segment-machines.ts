/**
 * The machines between the ports, a bridge per site and the fiber, and the two events by which frames go into them.
 * Real time (frame-path.ts) and virtual time (sim/stretched-segment.ts) drive the same ones.
 *
 *   port ─► bridge A ─► fiber a→b ─► bridge B ─► port        (and back)
 *
 * The events are made once and filled anew for each frame: the machines keep none.
 */
import { frameOf, type Rng } from '../core/index.js';
import { Fiber, type FiberFrameOffered, type FiberSettings, type Timeline } from '../fiber/index.js';
import { Bridge, type BridgeFrameReceived, type BridgeOptions } from '../l2/index.js';
import type { SiteName } from './messages.js';

/** The bridge port that leads to the fiber. */
export const STRETCH = 0;

export interface SegmentOptions {
  readonly fiber: FiberSettings;
  readonly timeline?: Timeline;
  /** Of both bridges; left out, plain learning bridges. */
  readonly bridge?: BridgeOptions;
}

export class SegmentMachines {
  readonly fiber: Fiber;
  readonly bridges: Readonly<Record<SiteName, Bridge>>;
  readonly received: BridgeFrameReceived;
  readonly offered: FiberFrameOffered;

  /**
   * @param epochNs the present instant, from which times of the time line count
   * @throws ConfigError of the bridges' options
   */
  constructor({ fiber, timeline, bridge }: SegmentOptions, rng: Rng, epochNs: number) {
    this.fiber = new Fiber(fiber, rng, { epochNs, ...(timeline === undefined ? {} : { timeline }) });
    this.bridges = { a: new Bridge(bridge), b: new Bridge(bridge) };
    const stretch = { type: 'port-added', port: STRETCH, name: 'stretch', role: 'stretch' } as const;
    for (const site of ['a', 'b'] as const) this.bridges[site].step(epochNs, stretch, []);
    const none = frameOf(new Uint8Array(0));
    this.received = { type: 'frame-received', port: 0, frame: none };
    this.offered = {
      type: 'frame-offered',
      direction: 'a-b',
      frame: none,
      trafficClass: 0,
      packets: 1,
      wireBytes: 0,
      packetBytes: 0,
    };
  }
}
