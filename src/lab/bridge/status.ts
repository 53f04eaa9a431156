/** What a running bridge says of itself: the answer to `show`, the source of the live counters and of the metrics. */
import type { FabricSnapshot, Lateness, PortCounters, PortRole, SiteName } from '../../fabric/index.js';
import type { FiberCounters, FiberSettings } from '../../fiber/index.js';
import type { BridgeCounters } from '../../l2/index.js';

/** One port, whatever became of it. */
export interface PortStatus {
  readonly name: string;
  readonly site: SiteName;
  readonly role: PortRole;
  /** `tap lh-left in left`, `nio-udp 127.0.0.1:5001 ↔ 127.0.0.1:5000` */
  readonly attach: string;
  /** `gone`: its interface has vanished; `removed`: somebody took it away. Its figures stay. */
  readonly state: 'up' | 'gone' | 'removed';
  readonly framesIn: number;
  readonly bytesIn: number;
  readonly framesOut: number;
  readonly bytesOut: number;
  /** Frames that could not be sent here, and those the port itself refused on their way in, by reason. */
  readonly drops: Readonly<Record<string, number>>;
}

export interface BridgeStatus {
  readonly name: string;
  readonly pid: number;
  readonly uptimeNs: number;
  readonly seed: number;
  readonly qos: 'guest-first' | 'none';
  readonly spin: 'deadline' | 'always' | 'never';
  readonly control: string;
  /** Where the metrics are; null when they are off. */
  readonly metrics: string | null;
  /** As it is now; an unlimited rate is null in JSON. */
  readonly fiber: FiberSettings;
  /** One line a direction. */
  readonly fiberLines: readonly string[];
  readonly warnings: readonly string[];
  readonly lanes: FiberCounters;
  readonly ports: readonly PortStatus[];
  readonly bridges: Readonly<Record<SiteName, BridgeCounters>>;
  readonly lateness: Lateness & { readonly sumNs: number };
  readonly cutAtEntry: number;
  readonly cutAroundLoss: number;
  readonly poolBytes: number;
}

/** What is known of a port beside its counters. */
export type PortFacts = Pick<PortStatus, 'name' | 'site' | 'role' | 'attach' | 'state'>;

/** Ports with their counters; a name that was removed and added again goes on counting. */
export function portStatuses(facts: Iterable<PortFacts>, snapshot: FabricSnapshot): PortStatus[] {
  return [...facts].map((port) => {
    const counted = snapshot.ports.filter((p) => p.name === port.name);
    const sum = (figure: (p: PortCounters) => number): number =>
      counted.reduce((total, p) => total + figure(p), 0);
    const refusals = new Set(counted.flatMap((p) => Object.keys(p.drops)));
    return {
      ...port,
      framesIn: sum((p) => p.framesIn),
      bytesIn: sum((p) => p.bytesIn),
      framesOut: sum((p) => p.framesOut),
      bytesOut: sum((p) => p.bytesOut),
      drops: {
        busy: sum((p) => p.busy),
        'too-long': sum((p) => p.tooLong),
        gone: sum((p) => p.gone),
        ...Object.fromEntries([...refusals].map((reason) => [reason, sum((p) => p.drops[reason] ?? 0)])),
      },
    };
  });
}
