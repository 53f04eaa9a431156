/** What the transport of a migration has done, over all links that carried its pages. */
import type { Link, LinkFigures } from '../vmotion-protocol/transport/index.js';

/** As a link's, but JSON has no Infinity: a rate that nothing limits is null. */
export type TransportFigures = Omit<LinkFigures, 'pacingBps' | 'parityUsed'> & {
  readonly streams: number;
  readonly pacingBps: number | null;
};

/** Sums over links of one kind; null where they have no figures. */
export function transportFigures(links: readonly Link[]): TransportFigures | null {
  const all = links.flatMap((link) => link.figures?.() ?? []);
  const first = all[0];
  if (first === undefined) return null;
  const sum = (of: (f: LinkFigures) => number): number => all.reduce((n, f) => n + of(f), 0);
  const pacingBps = sum((f) => f.pacingBps);
  const trips = all.map((f) => f.rttMinNs).filter((ns) => ns > 0);
  return {
    transport: first.transport,
    congestion: first.congestion,
    streams: all.length,
    packetsSent: sum((f) => f.packetsSent),
    packetsLost: sum((f) => f.packetsLost),
    bytesResent: sum((f) => f.bytesResent),
    pagesSuperseded: sum((f) => f.pagesSuperseded),
    paritySent: sum((f) => f.paritySent),
    pacingBps: Number.isFinite(pacingBps) ? pacingBps : null,
    rttMinNs: trips.length > 0 ? Math.min(...trips) : 0,
  };
}
