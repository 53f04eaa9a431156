/**
 * Named fibers, each with its source. Delays are one way, half of the round trip that a profile is
 * named for. Round trips named so are propagation only: serialisation and queueing come on top.
 *
 * Queues are at least one bandwidth-delay product, the buffer that keeps a link busy while one
 * loss-based TCP stream halves its window (Villamizar and Song, CCR 1994), rounded up to a power of two.
 */
import { NS_PER_MS, NS_PER_US } from '../core/index.js';
import { propagationNs } from './settings.js';

export interface FiberProfile {
  readonly name: string;
  /** One line for a list. */
  readonly description: string;
  /** Where the figures come from. */
  readonly source: string;
  /** Length of glass that gives the delay; null where the source states the delay itself. */
  readonly distanceM: number | null;
  readonly oneWayNs: number;
  readonly rateBps: number;
  readonly queueBytes: number;
  readonly lossProb: number;
}

const MIB = 1024 * 1024;

export const DEFAULT_PROFILE = 'metro-80km';

const ALL: readonly FiberProfile[] = [
  {
    name: 'campus-10km',
    description: 'two halls of a campus, 10 km: 50 µs one way, 10 Gbit/s',
    source: '10GBASE-LR reaches 10 km (IEEE 802.3-2018, clause 52); 5 µs/km',
    ...overGlass(10_000),
    rateBps: 10e9,
    // One product is 122 KiB, less than two super-frames: 1 MiB takes the bursts of 16 streams.
    queueBytes: MIB,
    lossProb: 0,
  },
  {
    name: 'metro-80km',
    description: 'the 2009 proof of concept, 80 km: 400 µs one way, 10 Gbit/s',
    source: 'Cisco and VMware, announcement of June 2009: 80 km of fiber, about 400 µs each way',
    ...overGlass(80_000),
    rateBps: 10e9,
    // One product is 0.95 MiB. 4 MiB also take a window of 64 KiB super-frames from 16 streams at once, and add 3.4 ms at most.
    queueBytes: 4 * MIB,
    lossProb: 0,
  },
  {
    name: 'metro-200km',
    description: 'the reach of the Cisco/VMware reference design, 200 km: 1 ms one way, 10 Gbit/s',
    source: 'Cisco and VMware, long-distance vMotion reference design: up to 200 km; 5 µs/km',
    ...overGlass(200_000),
    rateBps: 10e9,
    queueBytes: 4 * MIB,
    lossProb: 0,
  },
  {
    name: 'vmotion-5ms',
    description: 'the limit of vMotion in vSphere 4.1: 5 ms RTT, 622 Mbit/s',
    source: 'VMware KB 310156: 5 ms RTT; 622 Mbit/s (OC-12) was the least bandwidth asked for in 2009',
    distanceM: null,
    oneWayNs: 2_500 * NS_PER_US,
    rateBps: 622e6,
    queueBytes: MIB / 2,
    lossProb: 0,
  },
  {
    name: 'metro-vmotion-10ms',
    description: 'the limit of Metro vMotion in vSphere 5.0: 10 ms RTT, 1 Gbit/s',
    source: 'VMware KB 310156: 10 ms RTT; 1 Gbit/s as in the published Metro vMotion tests',
    distanceM: null,
    oneWayNs: 5 * NS_PER_MS,
    rateBps: 1e9,
    queueBytes: 2 * MIB,
    lossProb: 0,
  },
  {
    name: 'wan-50ms',
    description: 'across a continent: 50 ms RTT, 1 Gbit/s',
    source: '5,000 km at 5 µs/km',
    distanceM: null,
    oneWayNs: 25 * NS_PER_MS,
    rateBps: 1e9,
    queueBytes: 8 * MIB,
    lossProb: 0,
  },
  {
    name: 'wan-100ms',
    description: 'between continents: 100 ms RTT, 1 Gbit/s',
    source: '10,000 km at 5 µs/km',
    distanceM: null,
    oneWayNs: 50 * NS_PER_MS,
    rateBps: 1e9,
    queueBytes: 16 * MIB,
    lossProb: 0,
  },
  {
    name: 'vmotion-150ms',
    description: 'the limit of long-distance vMotion since vSphere 6.0: 150 ms RTT, 250 Mbit/s',
    source: 'VMware KB 336244 (formerly 2106949): 150 ms RTT; vSphere 6.0 manual: 250 Mbit/s a migration',
    distanceM: null,
    oneWayNs: 75 * NS_PER_MS,
    rateBps: 250e6,
    queueBytes: 8 * MIB,
    lossProb: 0,
  },
  {
    name: 'satellite-600ms',
    description: 'one geostationary hop: 600 ms RTT, 50 Mbit/s',
    source: 'RFC 2488, section 2: about 560 ms of propagation there and back, and the ground segments',
    distanceM: null,
    oneWayNs: 300 * NS_PER_MS,
    rateBps: 50e6,
    queueBytes: 4 * MIB,
    lossProb: 0,
  },
];

/** Every profile by name, from the nearest to the farthest. */
export const PROFILES: Readonly<Record<string, FiberProfile>> = Object.freeze(
  Object.fromEntries(ALL.map((profile) => [profile.name, profile])),
);

function overGlass(distanceM: number): Pick<FiberProfile, 'distanceM' | 'oneWayNs'> {
  return { distanceM, oneWayNs: propagationNs(distanceM) };
}
