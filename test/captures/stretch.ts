/**
 * A stretched segment in virtual time that writes down what passes: the real bridges, the real fiber, no clock.
 *
 *   station ─ port ─ bridge A ─ fiber-a ≈≈≈ fiber-b ─ bridge B ─ port ─ station
 *
 * Every frame that a station sends gets an id, and is recorded under it at each interface it passes, as the fabric's
 * recording does. The same scene gives the same capture, byte for byte.
 */
import type { CaptureWriter } from '../../src/capture/files/index.js';
import { dropVerdict, LINK_ETHERNET } from '../../src/capture/index.js';
import { type Frame, frameOf, Rng, TimeHeap, WOKE } from '../../src/core/index.js';
import {
  Fiber,
  type FiberAction,
  type FiberOptions,
  packetWireBytes,
  resolveFiber,
} from '../../src/fiber/index.js';
import { Bridge, type BridgeAction, type PortRole } from '../../src/l2/index.js';

export type Site = 'a' | 'b';

/** What a station does with a frame that reached it. */
export type Receive = (frame: Uint8Array, atNs: number) => void;

interface Port {
  readonly site: Site;
  readonly number: number;
  readonly interfaceId: number;
  readonly receive: Receive;
}

const STRETCH_PORT = 0;
/** A station and a bridge take so long with a frame. */
const STATION_NS = 3_000;

export class Stretch {
  readonly #writer: CaptureWriter;
  readonly #fiber: Fiber;
  readonly #bridges: Readonly<Record<Site, Bridge>>;
  readonly #ends: Readonly<Record<Site, number>>;
  readonly #ports: Port[] = [];
  readonly #todo = new TimeHeap<() => void>();
  readonly #ids = new Map<Frame, number>();
  readonly #bridgeActions: BridgeAction[] = [];
  readonly #fiberActions: FiberAction[] = [];
  #nextId = 1;
  nowNs = 0;

  constructor(writer: CaptureWriter, fiber: FiberOptions, seed: string) {
    this.#writer = writer;
    this.#fiber = new Fiber(resolveFiber(fiber), new Rng(seed));
    this.#bridges = { a: new Bridge(), b: new Bridge() };
    this.#ends = { a: this.#interface('fiber-a'), b: this.#interface('fiber-b') };
    for (const site of ['a', 'b'] as const) this.#addPort(site, STRETCH_PORT, 'stretch', 'stretch');
  }

  /** @returns what sends a frame from there */
  station(name: string, site: Site, role: PortRole, receive: Receive): (frame: Uint8Array) => void {
    const port = { site, number: this.#ports.length + 1, interfaceId: this.#interface(name), receive };
    this.#ports.push(port);
    this.#addPort(site, port.number, name, role);
    return (bytes) => {
      const frame = frameOf(bytes);
      const id = this.#nextId++;
      this.#ids.set(frame, id);
      this.#record(port.interfaceId, frame, 'in', null);
      this.#bridge(site, port.number, frame);
    };
  }

  at(ns: number, what: () => void): void {
    this.#todo.push(ns, what);
  }

  after(ns: number, what: () => void): void {
    this.at(this.nowNs + ns, what);
  }

  event(text: string): void {
    this.#writer.comment(this.nowNs, text);
  }

  /** Runs until nothing is due any more. */
  run(): void {
    for (;;) {
      const due = Math.min(this.#todo.peekTimeNs(), this.#fiber.nextWakeNs());
      if (due === Number.POSITIVE_INFINITY) return;
      this.nowNs = due;
      if (this.#fiber.nextWakeNs() <= due) {
        this.#fiber.step(due, WOKE, this.#fiberActions);
        this.#carryOut();
      } else {
        this.#todo.pop()!();
      }
    }
  }

  #interface(name: string): number {
    return this.#writer.addInterface({ name, linkType: LINK_ETHERNET });
  }

  #addPort(site: Site, port: number, name: string, role: PortRole): void {
    this.#bridges[site].step(0, { type: 'port-added', port, name, role }, this.#bridgeActions);
  }

  #bridge(site: Site, port: number, frame: Frame): void {
    const actions: BridgeAction[] = [];
    this.#bridges[site].step(this.nowNs, { type: 'frame-received', port, frame }, actions);
    for (const action of actions) {
      if (action.type === 'forward' && action.port === STRETCH_PORT) this.#offer(site, frame);
      else if (action.type === 'forward') this.#deliver(this.#ports[action.port - 1]!, frame);
    }
  }

  #deliver(port: Port, frame: Frame): void {
    this.#record(port.interfaceId, frame, 'out', null);
    this.after(STATION_NS, () => port.receive(frame.data, this.nowNs));
  }

  #offer(site: Site, frame: Frame): void {
    this.#record(this.#ends[site], frame, 'out', null);
    const wireBytes = packetWireBytes(frame.length);
    this.#fiber.step(
      this.nowNs,
      {
        type: 'frame-offered',
        direction: site === 'a' ? 'a-b' : 'b-a',
        frame,
        trafficClass: 0,
        packets: 1,
        wireBytes,
        packetBytes: 0,
      },
      this.#fiberActions,
    );
    this.#carryOut();
  }

  #carryOut(): void {
    for (const action of this.#fiberActions.splice(0)) {
      const far = action.direction === 'a-b' ? 'b' : 'a';
      if (action.type === 'drop') {
        this.#record(this.#ends[action.direction === 'a-b' ? 'a' : 'b'], action.frame, 'out', action.reason);
      } else {
        this.#record(this.#ends[far], action.frame, 'in', null);
        this.#bridge(far, STRETCH_PORT, action.frame);
      }
    }
  }

  #record(interfaceId: number, frame: Frame, direction: 'in' | 'out', dropped: string | null): void {
    this.#writer.write({
      interfaceId,
      atNs: this.nowNs,
      bytes: frame.data,
      originalBytes: frame.length,
      direction,
      packetId: this.#ids.get(frame)!,
      ...(dropped === null ? {} : { verdict: dropVerdict(dropped), comment: `dropped: ${dropped}` }),
    });
  }
}
