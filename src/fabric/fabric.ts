/**
 * The fabric as the lab sees it: starts the thread, asks it things, stops it. The loop itself is `engine.ts`.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads';
import type { RecordingReport } from '../capture/index.js';
import { LonghaulError } from '../core/index.js';
import type { LaneSettings } from '../fiber/index.js';
import { Doorbell } from '../sys/index.js';
import type {
  DuplicateMacFound,
  FabricReply,
  FabricRequest,
  FabricSettings,
  FabricSnapshot,
  MacSeen,
  PortSpec,
  SiteName,
} from './messages.js';
import { type RecordingOptions, tapSnapBytes } from './recording/options.js';
import { Recording } from './recording/recording.js';

const STOP_LIMIT_MS = 2000;
/** Frames live in slabs; what is young and survives is next to nothing, and a nursery that grows is memory for nothing. */
const YOUNG_MB = 4;

type Without<T, K extends string> = T extends unknown ? Omit<T, K> : never;

export interface FabricOptions extends FabricSettings {
  /** Called when a port's interface or peer has vanished; the rest goes on. */
  readonly onPortGone?: (name: string) => void;
  /** Called when an address was found at two ports too often; only where `bridge.duplicateMac` is set. */
  readonly onDuplicateMac?: (found: DuplicateMacFound) => void;
  /** Called when the thread itself failed: nothing is carried any more. */
  readonly onFailure?: (error: Error) => void;
}

export class Fabric {
  readonly #bell = new Doorbell();
  readonly #port: MessagePort;
  readonly #thread: Worker;
  readonly #waiting = new Map<number, { resolve(r: FabricReply): void; reject(e: Error): void }>();
  #nextId = 1;
  readonly #ended: Promise<void>;
  #failure: Error | null = null;
  #recording: Recording | null = null;

  constructor(options: FabricOptions) {
    const { onPortGone, onDuplicateMac, onFailure, ...settings } = options;
    const channel = new MessageChannel();
    this.#port = channel.port1;
    this.#thread = new Worker(new URL('./fabric-thread.js', import.meta.url), {
      workerData: { settings, bellFd: this.#bell.fd, port: channel.port2 },
      transferList: [channel.port2],
      name: 'fabric',
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MB },
    });
    this.#port.on('message', (reply: FabricReply) => {
      if (reply.type === 'port-gone') return onPortGone?.(reply.name);
      if (reply.type === 'mac-duplicate') return onDuplicateMac?.(reply.found);
      const waiting = this.#waiting.get(reply.id);
      this.#waiting.delete(reply.id);
      if (reply.type === 'failed') waiting?.reject(new LonghaulError(reply.code, reply.text));
      else waiting?.resolve(reply);
    });
    this.#ended = new Promise((resolve) => this.#thread.once('exit', () => resolve()));
    this.#thread.on('error', (error) => {
      this.#failure = error;
      for (const w of this.#waiting.values()) w.reject(error);
      this.#waiting.clear();
      onFailure?.(error);
    });
  }

  /** Adds a port; the fabric owns its descriptor from here on. */
  async addPort(port: PortSpec): Promise<void> {
    await this.#ask({ type: 'add-port', port });
  }

  async removePort(name: string): Promise<void> {
    await this.#ask({ type: 'remove-port', name });
  }

  /** Changes the fiber while it runs. @param span counted from site A; left out, all of them */
  async changeFiber(
    direction: 'a-b' | 'b-a' | 'both',
    set: Partial<LaneSettings>,
    span?: number,
  ): Promise<void> {
    await this.#ask({ type: 'change-fiber', direction, set, ...(span === undefined ? {} : { span }) });
  }

  /** Says that the next move of an address is the caller's doing, and not that of a second host with the same one. */
  async expectMove(mac: number): Promise<void> {
    await this.#ask({ type: 'expect-move', mac });
  }

  /** The addresses that each site's bridge knows, by address. @param limit of each site: the thread carries no frame meanwhile */
  async macs(limit: number): Promise<Readonly<Record<SiteName, readonly MacSeen[]>>> {
    const reply = await this.#ask({ type: 'macs', limit });
    if (reply.type !== 'macs') throw new LonghaulError('FABRIC_REPLY', 'the fabric answered something else');
    return reply.macs;
  }

  /** Lateness and write durations are counted anew from here on. */
  async forgetLateness(): Promise<void> {
    await this.#ask({ type: 'forget-lateness' });
  }

  /**
   * Records from here on what passes at every port and at the fiber's ends. One recording at a time.
   * @param onFailure called when it cannot go on; the fabric does
   * @throws ConfigError CAPTURE_… ; LonghaulError FABRIC_RECORDING when there is one already
   */
  async record(options: RecordingOptions, onFailure: (text: string) => void): Promise<void> {
    if (this.#recording !== null) {
      throw new LonghaulError('FABRIC_RECORDING', `${this.#recording.options.path} is being recorded`, {
        hint: 'end that recording first: Ctrl-C where it was begun, or longhaul ctl recording stop',
      });
    }
    const recording = await Recording.start(options, (text) => {
      // The ring has no reader any more: what goes into it would cost the fabric and serve nobody.
      void this.#ask({ type: 'stop-recording' }).catch(() => {});
      onFailure(text);
    });
    this.#recording = recording;
    await this.#ask({ type: 'record', memory: recording.memory, snapBytes: tapSnapBytes(options) });
  }

  /** A line in the recording, if there is one. @param atNs CLOCK_MONOTONIC */
  comment(atNs: number, text: string): void {
    this.#recording?.comment(atNs, text);
  }

  /** Ends the recording; null when there is none. */
  async stopRecording(): Promise<RecordingReport | null> {
    const recording = this.#recording;
    if (recording === null) return null;
    this.#recording = null;
    const reply = await this.#ask({ type: 'stop-recording' }).catch(() => null);
    return recording.finish(reply?.type === 'recorded' ? reply.tallies : null);
  }

  async snapshot(): Promise<FabricSnapshot> {
    const reply = await this.#ask({ type: 'snapshot' });
    if (reply.type !== 'snapshot')
      throw new LonghaulError('FABRIC_REPLY', 'the fabric answered something else');
    return reply.snapshot;
  }

  /** Ends the recording if there is one, the thread, and closes every port. */
  async stop(): Promise<void> {
    await this.stopRecording().catch(() => null);
    // Bounded: cleaning up must end even if the thread does not answer any more.
    const limit = new AbortController();
    const late = sleep(STOP_LIMIT_MS, null, { signal: limit.signal }).catch(() => {});
    await Promise.race([this.#ask({ type: 'stop' }).then(() => this.#ended), late]).catch(() => {});
    limit.abort();
    this.#bell.ring();
    await Promise.race([this.#thread.terminate(), sleep(STOP_LIMIT_MS, null, { ref: false })]);
    this.#port.close();
    this.#bell.close();
  }

  #ask(request: Without<FabricRequest, 'id'>): Promise<FabricReply> {
    if (this.#failure !== null) return Promise.reject(this.#failure);
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#port.postMessage({ ...request, id });
      this.#bell.ring();
    });
  }
}
