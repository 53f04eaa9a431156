/** The thread that sends: its requests come by a message port that it looks into itself, and it sleeps on a shared cell. */
import { type MessagePort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { sharpenTimers } from '../sys/index.js';
import { buffersOf } from './batch.js';
import {
  POSTED,
  SETTLED,
  type SenderReply,
  type SenderRequest,
  type SenderSettings,
  STOPPED,
  WRITTEN,
} from './messages.js';
import { Sender } from './sender.js';
import { warmUp } from './warm-up.js';

interface ThreadData {
  readonly settings: SenderSettings;
  readonly port: MessagePort;
  readonly cells: Int32Array;
}

const { settings, port, cells } = workerData as ThreadData;
sharpenTimers();
warmUp();
let seen = Atomics.load(cells, POSTED);

new Sender(settings, {
  take: () => receiveMessageOnPort(port)?.message as SenderRequest | undefined,
  wait: (limitMs) => {
    Atomics.wait(cells, POSTED, seen, limitMs);
    seen = Atomics.load(cells, POSTED);
  },
  reply: (reply: SenderReply) => {
    port.postMessage(reply, reply.type === 'arrived' ? buffersOf(reply.batch) : []);
  },
  get stopped() {
    return Atomics.load(cells, STOPPED) !== 0;
  },
  get settled() {
    return Atomics.load(cells, SETTLED) !== 0;
  },
  get written() {
    return Atomics.load(cells, WRITTEN);
  },
}).run();
port.close();
