/**
 * A recording as the lab sees it: starts the writing thread, hands it lines for people, ends it.
 * The fabric's thread is told of the ring by `Fabric.record` (fabric.ts).
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads';
import type { RecordingReport } from '../../capture/index.js';
import { ConfigError, LonghaulError, messageOf } from '../../core/index.js';
import { compareClocks } from '../../sys/index.js';
import type { InterfaceTally } from './frame-tap.js';
import { filterOf, type RecorderReply, type RecorderRequest, type RecordingOptions } from './options.js';
import { newRingMemory } from './record-ring.js';

/** A file system or a reader that is slower than this at the end is left to itself. */
const FINISH_LIMIT_MS = 10_000;

export class Recording {
  readonly options: RecordingOptions;
  readonly memory: SharedArrayBuffer;
  readonly #thread: Worker;
  readonly #port: MessagePort;
  readonly #ended: Promise<RecordingReport>;
  readonly #ready: Promise<void>;
  #failure: string | null = null;
  #isFinishing = false;

  private constructor(
    options: RecordingOptions,
    memory: SharedArrayBuffer,
    onFailure: (text: string) => void,
  ) {
    this.options = options;
    this.memory = memory;
    const { realtimeSeconds, monotonicNs } = compareClocks();
    const channel = new MessageChannel();
    this.#port = channel.port1;
    this.#thread = new Worker(new URL('./recording-thread.js', import.meta.url), {
      workerData: {
        memory,
        options,
        epoch: { seconds: realtimeSeconds, nanoseconds: 0 },
        baseNs: monotonicNs,
        port: channel.port2,
      },
      transferList: [channel.port2],
      name: 'recording',
    });
    let ready: () => void = () => {};
    let refused: (e: Error) => void = () => {};
    this.#ready = new Promise((resolve, reject) => {
      ready = resolve;
      refused = reject;
    });
    this.#ended = new Promise((resolve) => {
      const fail = (text: string): void => {
        this.#failure = text;
        if (!this.#isFinishing) onFailure(text);
        resolve({ path: options.path, packets: 0, bytes: 0, filtered: 0, unrecorded: 0, failure: text });
      };
      this.#port.on('message', (reply: RecorderReply) => {
        if (reply.type === 'ready') ready();
        else if (reply.type === 'finished') resolve(reply.report);
        else {
          const { code, text, hint } = reply;
          refused(new ConfigError(code, text, hint === undefined ? {} : { hint }));
          fail(`${code}: ${text}`);
        }
      });
      this.#thread.on('error', (e) => {
        refused(e);
        fail(messageOf(e));
      });
    });
  }

  /**
   * @param onFailure called when it cannot go on: the disk is full, its reader has gone
   * @throws ConfigError CAPTURE_FILTER, CAPTURE_OPTIONS, CAPTURE_FILE
   */
  static async start(options: RecordingOptions, onFailure: (text: string) => void): Promise<Recording> {
    filterOf(options);
    if (options.wire && options.snapBytes !== undefined) {
      throw new ConfigError('CAPTURE_OPTIONS', 'a snap length and wire packets exclude each other', {
        hint: 'super-frames are cut whole: leave one of them out',
      });
    }
    const recording = new Recording(options, newRingMemory(), onFailure);
    try {
      await recording.#ready;
      return recording;
    } catch (e) {
      await recording.#thread.terminate();
      recording.#port.close();
      throw e;
    }
  }

  /** A line at an instant of CLOCK_MONOTONIC. */
  comment(atNs: number, text: string): void {
    this.#say({ type: 'comment', atNs, text });
  }

  /** Ends it. @param tallies what the fabric's thread counted; null when it could not say */
  async finish(tallies: readonly InterfaceTally[] | null): Promise<RecordingReport> {
    this.#isFinishing = true;
    this.#say({ type: 'finish', tallies });
    const limit = new AbortController();
    const late = sleep(FINISH_LIMIT_MS, null, { signal: limit.signal }).catch(() => null);
    const report = await Promise.race([this.#ended, late]);
    limit.abort();
    await this.#thread.terminate();
    this.#port.close();
    if (report === null) {
      throw new LonghaulError('CAPTURE_FILE', `${this.options.path} was not written to its end within 10 s`, {
        hint: 'its reader, or the disk, does not keep up',
      });
    }
    return report;
  }

  #say(request: RecorderRequest): void {
    if (this.#failure === null) this.#port.postMessage(request);
  }
}
