/** Worlds for tests: a small guest on the metro fiber, and how it is moved. */
import { type LaneSettings, resolveFiber } from '../../src/fiber/index.js';
import {
  guestSpec,
  type MigrationOrders,
  World,
  type WorldMigration,
  type WorldOptions,
} from '../../src/sim/index.js';

const MS = 1_000_000;

export interface TestWorldOptions extends Partial<WorldOptions> {
  readonly pages?: number;
  readonly pagesPerS?: number;
  /** Of the fiber, both ways. */
  readonly lane?: Partial<LaneSettings>;
}

export function testWorld({
  pages = 1024,
  pagesPerS = 5_000,
  lane = {},
  ...options
}: TestWorldOptions = {}): World {
  const metro = resolveFiber({ profile: 'metro-80km' });
  return new World({
    seed: 'test',
    guest: guestSpec({
      pages,
      fill: 'mix',
      dirty: { model: pagesPerS === 0 ? 'idle' : 'uniform', pagesPerS, hotPages: pages },
      mac: 0x024c48000010,
      ip: 0x0a50000a,
    }),
    clients: [
      { site: 'a', icmpIntervalNs: 10 * MS, serviceIntervalNs: 2 * MS },
      { site: 'b', icmpIntervalNs: 10 * MS, serviceIntervalNs: 2 * MS },
    ],
    fiber: {
      ...metro,
      spans: metro.spans.map(({ aToB, bToA }) => ({
        aToB: { ...aToB, ...lane },
        bToA: { ...bToA, ...lane },
      })),
    },
    silenceNs: 400 * MS,
    redialNs: 20 * MS,
    retransmitNs: 20 * MS,
    keepTrace: true,
    ...options,
  });
}

export const ORDERS: MigrationOrders = {
  mode: 'hybrid',
  streams: 2,
  pauseTargetNs: MS,
  maxRounds: 10,
  limitNs: 20_000 * MS,
  slowGuest: false,
};

/** Clients live, the guest moves, everything comes to rest. */
export function moveIn(world: World, orders: Partial<MigrationOrders> = {}): WorldMigration {
  world.startClients();
  world.live(20 * MS);
  const migration = world.migrate('a', { ...ORDERS, ...orders }, 60_000 * MS);
  world.live(100 * MS);
  world.heal();
  world.live(50 * MS);
  world.stopClients();
  world.live(50 * MS);
  world.settle(200_000 * MS);
  return migration;
}
