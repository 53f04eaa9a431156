/** A bridge with named ports, and a script to drive it: what it says comes back in words. */
import * as assert from 'uvu/assert';
import { bytesOf, type Frame, frameOf } from '../../src/core/index.js';
import {
  Bridge,
  type BridgeAction,
  type BridgeCounters,
  type BridgeEvent,
  type BridgeOptions,
  type PortOptions,
  type PortRole,
  retagged,
  writeEthernet,
} from '../../src/l2/index.js';

export interface SitePort {
  readonly role?: PortRole;
  readonly options?: PortOptions;
}

/** What one frame led to: the bytes that leave by each port, in order, or the reason it was dropped for. */
export type Outcome =
  | { readonly port: string; readonly bytes: Uint8Array; readonly reply: boolean }[]
  | string;

export class Site {
  readonly bridge: Bridge;
  readonly numbers = new Map<string, number>();
  /** Addresses found to be duplicates. */
  readonly duplicates: number[] = [];

  constructor(options: BridgeOptions, ports: Readonly<Record<string, SitePort>>) {
    this.bridge = new Bridge(options);
    for (const [name, { role = 'client', options: portOptions }] of Object.entries(ports)) {
      const port = this.numbers.size;
      this.numbers.set(name, port);
      this.event(0, {
        type: 'port-added',
        port,
        name,
        role,
        ...(portOptions === undefined ? {} : { options: portOptions }),
      });
    }
  }

  event(nowNs: number, event: BridgeEvent): void {
    this.bridge.step(nowNs, event, []);
  }

  /** Gives a frame to the bridge; asserts that the account closes after it. */
  sent(nowNs: number, from: string, given: Uint8Array | Frame): Outcome {
    const frame = given instanceof Uint8Array ? frameOf(given) : given;
    const before = bytesOf(frame).slice();
    const out: BridgeAction[] = [];
    this.bridge.step(nowNs, { type: 'frame-received', port: this.numbers.get(from)!, frame }, out);
    assert.equal(bytesOf(frame), before, 'the frame is only read');
    assertCloses(this.bridge.counters());
    const names = [...this.numbers.keys()];
    const left: Exclude<Outcome, string> = [];
    for (const action of out) {
      if (action.type === 'drop') return action.reason;
      if (action.type === 'forward') {
        const bytes = bytesOf(retagged(action.frame, action.tag));
        left.push({ port: names[action.port]!, bytes, reply: false });
      } else if (action.type === 'reply') {
        left.push({ port: names[action.port]!, bytes: action.bytes, reply: true });
      } else {
        this.duplicates.push(action.mac);
      }
    }
    return left;
  }

  /** The names of the ports the frame left by, `client!` for a reply, or the reason it was dropped for. */
  give(nowNs: number, from: string, given: Uint8Array | Frame): string {
    const outcome = this.sent(nowNs, from, given);
    if (typeof outcome === 'string') return `drop ${outcome}`;
    return outcome.map(({ port, reply }) => (reply ? `${port}!` : port)).join(' ');
  }
}

/** An Ethernet frame of zeros, tagged when `tci` is given. */
export function frameBytes(src: number, dst: number, length = 64, tci?: number): Uint8Array {
  const b = new Uint8Array(length);
  writeEthernet(b, 0, dst, src, tci === undefined ? 0x88b5 : 0x8100);
  if (tci !== undefined) b.set([tci >> 8, tci & 255, 0x88, 0xb5], 14);
  return b;
}

/** At every instant each frame is accounted for once, and so is each copy. */
export function assertCloses(c: BridgeCounters): void {
  const sum = (drops: object): number => Object.values(drops).reduce((a, b) => a + b, 0);
  assert.is(c.framesIn, c.forwarded + c.flooded + c.suppressed + sum(c.drops));
  for (const p of c.ports) {
    assert.is(p.framesIn, p.forwarded + p.flooded + p.suppressed + sum(p.drops), p.name);
  }
}
