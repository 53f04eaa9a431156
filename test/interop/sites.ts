/** Two sites joined by a fabric, for programs that know nothing of this project. */
import { spawn, spawnSync } from 'node:child_process';
import { messageOf } from '../../src/core/index.js';
import { Fabric, type FabricSnapshot } from '../../src/fabric/index.js';
import { type FiberOptions, resolveFiber } from '../../src/fiber/index.js';
import { type AttachedStation, attachStation, type NetnsPorts, tryNetns } from '../../src/lab/attach.js';
import { hostStation } from '../../src/lab/stations.js';
import { closeFd, inNetns } from '../../src/sys/index.js';

/** Why a test with this program cannot run here, or null. */
export function lackOf(program: string): string | null {
  try {
    tryNetns();
  } catch (e) {
    return `no network namespaces here: ${messageOf(e)}`;
  }
  const found = spawnSync('sh', ['-c', `command -v ${program}`]).status === 0;
  return found ? null : `${program} is not installed`;
}

export interface Sites {
  /** Addresses in the two namespaces. */
  readonly ips: readonly [string, string];
  /** Runs a program in a site's namespace; resolves with what it printed. */
  run(site: 0 | 1, program: string, ...args: string[]): Promise<string>;
  snapshot(): Promise<FabricSnapshot>;
  close(): Promise<void>;
}

export async function openSites(options: FiberOptions, ports: NetnsPorts = tryNetns()): Promise<Sites> {
  const fabric = new Fabric({
    fiber: resolveFiber(options),
    qos: 'guest-first',
    spin: 'deadline',
    seed: 'interop',
  });
  const chosen = { kind: 'netns', why: 'test', ports } as const;
  const stations: AttachedStation[] = [];
  for (const site of ['a', 'b'] as const) {
    const station = attachStation(chosen, hostStation(site));
    stations.push(station);
    await fabric.addPort(station.port);
  }
  return {
    ips: ['10.80.1.1', '10.80.1.2'],
    run: (site, program, ...args) =>
      new Promise((resolve, reject) => {
        const child = inNetns(stations[site]!.netnsFd!, () =>
          spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] }),
        );
        let out = '';
        child.stdout.on('data', (d) => {
          out += d;
        });
        child.stderr.on('data', (d) => {
          out += d;
        });
        child.on('error', reject);
        child.on('close', () => resolve(out));
      }),
    snapshot: () => fabric.snapshot(),
    close: async () => {
      await fabric.stop();
      for (const s of stations) closeFd(s.netnsFd!);
    },
  };
}
