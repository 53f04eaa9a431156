/** The round trip between the sites by ICMP echo, from a station at A to one at B: both bridges and the fiber. */
import { frameOf } from '../core/index.js';
import { EndStation, type StationAction } from '../l2/index.js';
import type { SiteName, StretchedSegment } from './stretched-segment.js';
import type { VirtualTime } from './virtual-time.js';

const MAC = { a: 0x024c48000011, b: 0x024c48000012 };
const IP = { a: 0x0a5000c8, b: 0x0a5000c9 };
const MTU = 1500;
/** Answers that have not come by then are lost. */
const PATIENCE_NS = 1_000_000_000;
const WARM_UP = 4;

/** @returns round trips in nanoseconds, in order of the answers, and how many got none */
export function probeRtt(
  time: VirtualTime,
  segment: StretchedSegment,
  count: number,
  intervalNs: number,
): { readonly rttsNs: number[]; readonly lost: number } {
  const sentNs: number[] = [];
  const rttsNs: number[] = [];
  let answered = 0;
  const station = (site: SiteName): ((ask: (s: EndStation, out: StationAction[]) => void) => void) => {
    const s = new EndStation({ mac: MAC[site], ip: IP[site], mtu: MTU });
    const out: StationAction[] = [];
    const carryOut = (): void => {
      for (const action of out.splice(0)) {
        if (action.type === 'send') segment.send(port, frameOf(action.bytes));
        else if (action.type === 'echo-reply-received' && action.seq >= WARM_UP) {
          answered++;
          rttsNs.push(time.nowNs - sentNs[action.seq]!);
        }
      }
    };
    const port = segment.addPort(site, `probe-${site}`, 'client', (frame) => {
      if ('packets' in frame) return;
      s.receive(time.nowNs, frame.data.subarray(frame.start, frame.start + frame.length), out);
      carryOut();
    });
    return (ask) => {
      ask(s, out);
      carryOut();
    };
  };
  const near = station('a');
  station('b');
  const startNs = time.nowNs;
  for (let seq = 0; seq < count + WARM_UP; seq++) {
    time.at(startNs + seq * intervalNs, () => {
      sentNs[seq] = time.nowNs;
      near((s, out) => s.sendEcho(time.nowNs, IP.b, 1, seq, new Uint8Array(56), out));
    });
  }
  time.run(startNs + (count + WARM_UP) * intervalNs + PATIENCE_NS, () => answered === count);
  return { rttsNs, lost: count - answered };
}
