/** What the lab and a client's process say to each other over the IPC channel of node:child_process. */
import type { SessionSnapshot } from '../../guest/index.js';
import type { SessionKind } from '../result.js';

/** A NIO-UDP port of the bridge and the end station behind it. */
export interface PortAttach {
  /** Inherited descriptor of the client's UDP end. */
  readonly fd: number;
  readonly fabricUdpPort: number;
  readonly mac: number;
  readonly ip: number;
}

/** How a client reaches the segment. */
export type ClientAttach =
  /** `echo`: where the package raw-socket is not built, ICMP goes by a port of its own. */
  { readonly kind: 'kernel'; readonly echo: PortAttach | null } | ({ readonly kind: 'port' } & PortAttach);

export interface ClientOrders {
  readonly clientId: number;
  readonly attach: ClientAttach;
  readonly guestIp: number;
  readonly guestPages: number;
  /** Whom it talks to: the service of a model, or the echo and counter services of a machine. */
  readonly guestKind: 'workload' | 'pc' | 'linux';
  readonly icmpIntervalNs: number | null;
  readonly serviceIntervalNs: number | null;
}

export type ClientRequest =
  | { readonly type: 'begin'; readonly orders: ClientOrders }
  | { readonly type: 'probe'; readonly ip: number; readonly count: number; readonly intervalNs: number }
  /** Begins a new account: what follows is charged to the next move. */
  | { readonly type: 'mark'; readonly what: 'before' | 'after' }
  | { readonly type: 'account' }
  | { readonly type: 'end' };

export interface ProbeResult {
  readonly method: 'raw-socket' | 'bridge-port';
  readonly rttsNs: readonly number[];
  readonly lost: number;
}

export type ClientReply =
  | {
      readonly type: 'ready';
      readonly icmpMethod: 'raw-socket' | 'bridge-port' | null;
      readonly note: string | null;
    }
  | { readonly type: 'probed'; readonly result: ProbeResult }
  | { readonly type: 'marked' }
  | {
      readonly type: 'accounted';
      /** Answers that had come and that the client's own kernel dropped, of all sessions, since the last account. */
      readonly dropped: number;
      readonly sessions: readonly { readonly kind: SessionKind; readonly seen: SessionSnapshot }[];
    }
  | { readonly type: 'failed'; readonly text: string };
