/** Other traffic on the fiber: frames of the local experimental EtherType (IEEE 802, 0x88B5) at a set rate, evenly. */
import { frameOf } from '../core/index.js';
import { packetWireBytes } from '../fiber/index.js';
import { ETH_MIN_BYTES, writeEthernet } from '../l2/index.js';
import type { SiteName, StretchedSegment } from './stretched-segment.js';
import type { VirtualTime } from './virtual-time.js';

export interface BackgroundFlow {
  readonly direction: 'a-b' | 'b-a';
  /** On the wire, bits per second. */
  readonly rateBps: number;
  /** Without FCS. */
  readonly frameBytes: number;
}

const ETHERTYPE_EXPERIMENTAL = 0x88b5;
const SOURCE_MAC = 0x024c48010000;
const SINK_MAC = 0x024c48020000;

/** Begins a flow, which never ends. @param index makes its addresses its own */
export function startFlow(
  time: VirtualTime,
  segment: StretchedSegment,
  flow: BackgroundFlow,
  index: number,
): void {
  const [from, to]: readonly [SiteName, SiteName] = flow.direction === 'a-b' ? ['a', 'b'] : ['b', 'a'];
  const source = segment.addPort(from, `background-${index}-source`, 'client', () => {});
  const sink = segment.addPort(to, `background-${index}-sink`, 'client', () => {});
  const bytes = (length: number, dst: number, src: number): Uint8Array => {
    const b = new Uint8Array(Math.max(ETH_MIN_BYTES, length));
    writeEthernet(b, 0, dst, src, ETHERTYPE_EXPERIMENTAL);
    return b;
  };
  // So that the bridges know where the sink is and flood nothing.
  segment.send(sink, frameOf(bytes(0, SOURCE_MAC + index, SINK_MAC + index)));
  const frame = frameOf(bytes(flow.frameBytes, SINK_MAC + index, SOURCE_MAC + index));
  const everyNs = (packetWireBytes(frame.length) * 8e9) / flow.rateBps;
  const startNs = time.nowNs;
  let sent = 0;
  const next = (): void => {
    segment.send(source, frame);
    time.at(startNs + ++sent * everyNs, next);
  };
  time.at(startNs, next);
}
