/** This project's fabric between two namespaces, as `longhaul run` has it. */
import { Fabric, type FabricSnapshot, type SpinMode } from '../../../src/fabric/index.js';
import { type FiberOptions, resolveFiber, type Timeline } from '../../../src/fiber/index.js';
import { formatIpv4 } from '../../../src/l2/index.js';
import { attachStation, chooseAttach, INTERFACE, type NetnsPorts } from '../../../src/lab/attach.js';
import { superFrameBytesFor } from '../../../src/lab/config/super-frames.js';
import { hostStation } from '../../../src/lab/stations.js';
import { closeEnds, type End, type Testbed } from '../testbed.js';

export interface FabricTestbed extends Testbed {
  snapshot(): Promise<FabricSnapshot>;
  forgetLateness(): Promise<void>;
}

export interface FabricChoice {
  readonly fiber: FiberOptions;
  readonly spin?: SpinMode;
  readonly seed?: string;
  readonly timeline?: Timeline;
  /** Left out, what `longhaul run` takes. */
  readonly ports?: NetnsPorts;
  /** Of the stations; left out, what `longhaul run` gives them on this fiber. */
  readonly superFrameBytes?: number;
}

export async function fabricTestbed(choice: FabricChoice): Promise<FabricTestbed> {
  const fiber = resolveFiber(choice.fiber);
  const chosen = chooseAttach('netns', choice.superFrameBytes ?? superFrameBytesFor(fiber));
  const fabric = new Fabric({
    fiber,
    qos: 'guest-first',
    spin: choice.spin ?? 'deadline',
    seed: choice.seed ?? 'bench',
    ...(choice.timeline === undefined ? {} : { timeline: choice.timeline }),
  });
  const ends: End[] = [];
  for (const site of ['a', 'b'] as const) {
    const station = hostStation(site);
    const attached = attachStation({ ...chosen, ports: choice.ports ?? chosen.ports }, station);
    ends.push({
      netnsFd: attached.netnsFd!,
      interfaceName: INTERFACE,
      ip: formatIpv4(station.ip),
      mac: station.mac,
    });
    await fabric.addPort(attached.port);
  }
  return {
    name: 'longhaul',
    ends: ends as [End, End],
    cpuSeconds: () => {
      const { user, system } = process.cpuUsage();
      return (user + system) / 1e6;
    },
    snapshot: () => fabric.snapshot(),
    forgetLateness: () => fabric.forgetLateness(),
    close: async () => {
      await fabric.stop();
      closeEnds(ends);
    },
  };
}
