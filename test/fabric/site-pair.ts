/** An engine in this thread, with stations that speak raw frames through NIO-UDP ports: no privileges, no namespaces. */
import { Engine } from '../../src/fabric/engine.js';
import type { FabricReply, FabricSettings, FabricSnapshot, PortSpec } from '../../src/fabric/messages.js';
import { type FiberOptions, resolveFiber } from '../../src/fiber/index.js';
import { openNioUdpPair } from '../../src/l2/ports/index.js';
import {
  addressOf,
  closeFd,
  connectUdp,
  Doorbell,
  nowNs,
  receiveBytes,
  sendBytes,
} from '../../src/sys/index.js';

const LOOPBACK = 0x7f000001;
const BUFFER_BYTES = 1 << 20;
/** A frame that has not come by now does not come. */
const LIMIT_NS = 3e9;

export interface Station {
  readonly name: string;
  send(frame: Uint8Array): void;
  /** What has come and was not read yet. */
  received(): Uint8Array[];
}

export class SitePair {
  readonly #bell = new Doorbell();
  readonly #engine: Engine;
  readonly #ends: number[] = [];
  readonly #names: string[] = [];
  readonly #replies: FabricReply[] = [];

  constructor(fiber: FiberOptions, settings: Partial<FabricSettings> = {}) {
    this.#engine = new Engine(
      { fiber: resolveFiber(fiber), qos: 'guest-first', spin: 'deadline', seed: 'test', ...settings },
      this.#bell.fd,
      (reply) => this.#replies.push(reply),
    );
  }

  station(name: string, site: 'a' | 'b', options: Partial<Pick<PortSpec, 'options' | 'role'>> = {}): Station {
    const pair = openNioUdpPair(BUFFER_BYTES);
    connectUdp(pair.farFd, { ip: LOOPBACK, port: pair.fabricPort });
    this.#ends.push(pair.farFd);
    this.#names.push(name);
    const port: PortSpec = { name, site, role: 'client', kind: 'nio-udp', fd: pair.fabricFd, ...options };
    this.ask({ type: 'add-port', id: 0, port });
    const buffer = new Uint8Array(new ArrayBuffer(70_000));
    const address = addressOf(buffer);
    return {
      name,
      send: (frame) => {
        buffer.set(frame);
        sendBytes(pair.farFd, address, frame.length);
      },
      received: () => {
        const frames: Uint8Array[] = [];
        for (;;) {
          const n = receiveBytes(pair.farFd, address, buffer.length);
          if (n < 0) return frames;
          frames.push(buffer.slice(0, n));
        }
      },
    };
  }

  /** Closes a station's end: whoever sends to it learns that nobody listens. */
  hangUp(name: string): void {
    const at = this.#names.indexOf(name);
    closeFd(this.#ends.splice(at, 1)[0]!);
    this.#names.splice(at, 1);
  }

  /** Gives a request to the engine; throws what it refuses. */
  ask(request: Parameters<Engine['handle']>[0]): FabricReply {
    this.#engine.handle(request);
    const reply = this.#replies.pop()!;
    if (reply.type === 'failed') throw new Error(`${reply.code}: ${reply.text}`);
    return reply;
  }

  snapshot(): FabricSnapshot {
    const reply = this.ask({ type: 'snapshot', id: 0 });
    if (reply.type !== 'snapshot') throw new Error(reply.type);
    return reply.snapshot;
  }

  /** Replies that nobody asked for. */
  get unasked(): readonly FabricReply[] {
    return this.#replies;
  }

  /** Turns the engine until `done`, at most a few seconds. */
  runUntil(done: () => boolean): void {
    const untilNs = nowNs() + LIMIT_NS;
    while (!done()) {
      if (nowNs() > untilNs) throw new Error('it did not happen within 3 s');
      this.#engine.turn(() => []);
      this.#bell.ring(); // so that a turn with nothing due does not sleep for ever
    }
  }

  /** Turns the engine until `frames` have come in and all of them have been delivered or dropped. */
  settle(frames: number): FabricSnapshot {
    this.runUntil(() => {
      const s = this.snapshot();
      const lanes = [s.fiber.aToB, s.fiber.bToA];
      const came = s.ports.reduce((sum, p) => sum + p.framesIn, 0);
      return came >= frames && lanes.every((l) => l.queued.frames + l.inFlight.frames === 0);
    });
    return this.snapshot();
  }

  close(): void {
    for (const p of this.snapshot().ports) this.ask({ type: 'remove-port', id: 0, name: p.name });
    for (const fd of this.#ends) closeFd(fd);
    this.#bell.close();
  }
}
