/**
 * Feeds the thread that sends: a few batches ahead of it, so that reading the file never holds it up, and no more, so
 * that a capture of any length needs the same memory.
 */
import { MessageChannel, Worker } from 'node:worker_threads';
import { buffersOf, type FrameBatch } from './batch.js';
import {
  CELLS,
  POSTED,
  SETTLED,
  type SenderReply,
  type SenderReport,
  type SenderRequest,
  type SenderSettings,
  STOPPED,
  WRITTEN,
} from './messages.js';

const BATCHES_AHEAD = 16;

/** What becomes of frames at the other end, where something is known of it. */
export interface Receiving {
  /** Resolves when none of so many frames is under way any more. */
  settled(frames: number): Promise<void>;
  /** Called with frames that arrived, where they are kept. */
  onArrived(batch: FrameBatch): void;
}

/**
 * Sends every batch and resolves with what came of it.
 * @param signal ends it early
 */
export async function sendAll(
  batches: AsyncIterable<FrameBatch>,
  settings: SenderSettings,
  receiving: Receiving | null,
  signal: AbortSignal,
): Promise<SenderReport> {
  const cells = new Int32Array(new SharedArrayBuffer(CELLS * Int32Array.BYTES_PER_ELEMENT));
  const channel = new MessageChannel();
  const worker = new Worker(new URL('./sender-thread.js', import.meta.url), {
    workerData: { settings, port: channel.port2, cells },
    transferList: [channel.port2],
    name: 'replay',
  });
  const wake = (): void => {
    Atomics.add(cells, POSTED, 1);
    Atomics.notify(cells, POSTED);
  };
  const post = (request: SenderRequest): void => {
    channel.port1.postMessage(request, request.type === 'batch' ? buffersOf(request.batch) : []);
    wake();
  };
  const stop = (): void => {
    Atomics.store(cells, STOPPED, 1);
    wake();
  };
  signal.addEventListener('abort', stop, { once: true });
  if (signal.aborted) stop();

  let ahead = 0;
  let roomMade: () => void = () => {};
  const finished = new Promise<SenderReport>((resolve, reject) => {
    worker.once('error', reject);
    worker.once('exit', () => reject(new Error('the thread that sends ended without a report')));
    channel.port1.on('message', (reply: SenderReply) => {
      if (reply.type === 'finished') resolve(reply.report);
      if (reply.type === 'wants') {
        ahead--;
        roomMade();
      }
      if (reply.type === 'sent-all') {
        const settle = (): void => {
          Atomics.store(cells, SETTLED, 1);
        };
        // A fabric that has failed answers no more: its own error is told, not this one.
        void receiving?.settled(reply.frames).then(settle, settle);
      }
      if (reply.type === 'arrived') {
        receiving?.onArrived(reply.batch);
        Atomics.add(cells, WRITTEN, 1);
      }
    });
  });
  const over = finished.then(
    () => {},
    () => {},
  );
  try {
    for await (const batch of batches) {
      if (signal.aborted) break;
      post({ type: 'batch', batch });
      if (++ahead >= BATCHES_AHEAD) {
        const room = new Promise<void>((resolve) => {
          roomMade = resolve;
        });
        await Promise.race([room, over]);
      }
    }
    post({ type: 'last' });
    return await finished;
  } catch (e) {
    stop();
    await over;
    throw e;
  } finally {
    signal.removeEventListener('abort', stop);
    channel.port1.close();
    await worker.terminate();
  }
}
