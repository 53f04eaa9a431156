/**
 * Other traffic on the fiber: frames of the local experimental EtherType (IEEE 802, 0x88B5) at a set rate, from
 * a port of one site to a port of the other. It goes in the guests' class, as anybody's traffic would.
 */
import type { Fabric, SiteName } from '../fabric/index.js';
import { NioUdpLink, openNioUdpPair } from '../l2/ports/index.js';
import { nowNs } from '../sys/index.js';
import type { Experiment } from './config/experiment.js';

const ETHERTYPE_EXPERIMENTAL = 0x88b5;
/** Preamble, FCS and inter-frame gap: the rate counts what is on the wire. */
const OVERHEAD_BYTES = 24;
const BUFFER_BYTES = 4 * 2 ** 20;
const TICK_MS = 1;
/** Frames owed at most after a late tick, in ticks: a busy machine offers less, it does not burst. */
const DEBT_TICKS = 5;

type Flow = Experiment['background'][number];

/** Starts every flow of the experiment. @returns stops them and closes their ports */
export async function startBackground(fabric: Fabric, flows: readonly Flow[]): Promise<() => void> {
  const stops = await Promise.all(flows.map((flow, index) => startFlow(fabric, flow, index)));
  return () => {
    for (const stop of stops) stop();
  };
}

async function startFlow(fabric: Fabric, flow: Flow, index: number): Promise<() => void> {
  const [from, to]: readonly [SiteName, SiteName] = flow.direction === 'a-b' ? ['a', 'b'] : ['b', 'a'];
  const source = await attach(fabric, `background-${index}-source`, from);
  const sink = await attach(fabric, `background-${index}-sink`, to);
  const sinkMac = [0x02, 0x4c, 0x48, 0x01, index, 2];
  const sourceMac = [0x02, 0x4c, 0x48, 0x01, index, 1];
  const frame = frameOf(flow.frameBytes, sinkMac, sourceMac);
  sink.send(frameOf(60, sourceMac, sinkMac)); // so that the bridges know where the sink is and flood nothing
  const perNs = flow.rateBps / ((flow.frameBytes + OVERHEAD_BYTES) * 8e9);
  let owed = 0;
  let lastNs = nowNs();
  const timer = setInterval(() => {
    const now = nowNs();
    owed = Math.min(owed + (now - lastNs) * perNs, perNs * DEBT_TICKS * TICK_MS * 1e6);
    lastNs = now;
    for (; owed >= 1; owed--) source.send(frame);
  }, TICK_MS);
  return () => {
    clearInterval(timer);
    source.close();
    sink.close();
  };
}

async function attach(fabric: Fabric, name: string, site: SiteName): Promise<NioUdpLink> {
  const pair = openNioUdpPair(BUFFER_BYTES);
  await fabric.addPort({ name, site, role: 'client', kind: 'nio-udp', fd: pair.fabricFd });
  return NioUdpLink.adopt(pair.farFd, pair.fabricPort, () => {});
}

function frameOf(bytes: number, to: readonly number[], from: readonly number[]): Uint8Array {
  const frame = new Uint8Array(Math.max(60, bytes));
  frame.set(to, 0);
  frame.set(from, 6);
  new DataView(frame.buffer).setUint16(12, ETHERTYPE_EXPERIMENTAL);
  return frame;
}
