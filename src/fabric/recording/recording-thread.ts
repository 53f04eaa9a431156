/** The thread that writes a recording: empties the ring as long as there is anything in it, else sleeps. */
import { type MessagePort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import type { CaptureEpoch } from '../../capture/index.js';
import { isLonghaulError, messageOf } from '../../core/index.js';
import { nowNs } from '../../sys/index.js';
import type { RecorderReply, RecorderRequest, RecordingOptions } from './options.js';
import { RingReader } from './record-ring.js';
import { Recorder } from './recorder.js';

/** How long what was recorded may wait when little happens: a live reader's patience. */
const SLEEP_MS = 5;

interface ThreadData {
  readonly memory: SharedArrayBuffer;
  readonly options: RecordingOptions;
  readonly epoch: CaptureEpoch;
  readonly baseNs: number;
  readonly port: MessagePort;
}

const { memory, options, epoch, baseNs, port } = workerData as ThreadData;
const say = (reply: RecorderReply): void => port.postMessage(reply);

/** @returns the orders to finish, once they have come */
function takeRequests(recorder: Recorder): Extract<RecorderRequest, { type: 'finish' }> | null {
  for (let m = receiveMessageOnPort(port); m !== undefined; m = receiveMessageOnPort(port)) {
    const request = m.message as RecorderRequest;
    if (request.type === 'finish') return request;
    recorder.comment(request.atNs, request.text);
  }
  return null;
}

function record(): void {
  const recorder = new Recorder(memory, options, epoch, baseNs);
  const sleeper = new RingReader(memory);
  say({ type: 'ready' });
  for (;;) {
    const finish = takeRequests(recorder);
    if (finish !== null) return say({ type: 'finished', report: recorder.finish(finish.tallies) });
    if (!recorder.drain(nowNs())) sleeper.sleep(SLEEP_MS);
  }
}

try {
  record();
} catch (e) {
  const [code, hint] = isLonghaulError(e) ? [e.code, e.hint] : ['FABRIC_RECORDING', undefined];
  say({ type: 'refused', code, text: isLonghaulError(e) ? e.message : messageOf(e), hint });
}
port.close();
