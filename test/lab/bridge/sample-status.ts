/** A status with figures that are easy to tell apart. */

import { Rng } from '../../../src/core/index.js';
import { describeFiber, Fiber, resolveFiber } from '../../../src/fiber/index.js';
import { Bridge } from '../../../src/l2/index.js';
import type { BridgeStatus } from '../../../src/lab/bridge/status.js';

export function sampleStatus(over: Partial<BridgeStatus> = {}): BridgeStatus {
  const fiber = resolveFiber({
    profile: 'metro-80km',
    perDirection: { 'b-a': { rateBps: Number.POSITIVE_INFINITY } },
  });
  const lanes = new Fiber(fiber, new Rng('sample')).counters();
  const bridge = new Bridge().counters();
  const tally = (packets: number, wireBytes: number) => ({ frames: packets, packets, wireBytes });
  return {
    name: 'sample',
    pid: 42,
    uptimeNs: 10e9,
    seed: 1,
    qos: 'none',
    spin: 'deadline',
    control: '/run/sample.sock',
    metrics: null,
    fiber,
    fiberLines: describeFiber(fiber),
    warnings: [],
    lanes: {
      aToB: {
        ...lanes.aToB,
        offered: tally(10, 10_000),
        delivered: tally(4, 4000),
        dropped: { ...lanes.aToB.dropped, loss: tally(3, 3000) },
        queued: tally(1, 1538),
        inFlight: tally(2, 1462),
        queuePeakBytes: 3076,
      },
      bToA: lanes.bToA,
    },
    ports: [
      {
        name: 'left',
        site: 'a',
        role: 'client',
        attach: 'tap lh-left in left',
        state: 'up',
        framesIn: 10,
        bytesIn: 1000,
        framesOut: 9,
        bytesOut: 900,
        drops: { busy: 0, 'too-long': 0, gone: 0 },
      },
      {
        name: 'right',
        site: 'b',
        role: 'client',
        attach: 'interface eth1',
        state: 'gone',
        framesIn: 4,
        bytesIn: 400,
        framesOut: 3,
        bytesOut: 300,
        drops: { busy: 2, 'too-long': 0, gone: 1 },
      },
    ],
    bridges: {
      a: {
        ...bridge,
        framesIn: 10,
        flooded: 2,
        drops: { ...bridge.drops, runt: 1 },
        macs: { ...bridge.macs, size: 2 },
      },
      b: bridge,
    },
    lateness: { p50Ns: 1000, p99Ns: 9000, p999Ns: 12_000, maxNs: 20_000, count: 50, sumNs: 100_000 },
    cutAtEntry: 0,
    cutAroundLoss: 0,
    poolBytes: 2 ** 20,
    ...over,
  };
}
