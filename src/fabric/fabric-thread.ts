/** The thread that owns every frame: takes requests from its port when the doorbell rings, and runs the engine. */
import { type MessagePort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { actPromptly, nameThread } from '../sys/index.js';
import { Engine } from './engine.js';
import type { FabricReply, FabricRequest, FabricSettings } from './messages.js';
import { warmUp } from './warm-up.js';

interface ThreadData {
  readonly settings: FabricSettings;
  readonly bellFd: number;
  readonly port: MessagePort;
}

const { settings, bellFd, port } = workerData as ThreadData;
nameThread('fabric');
actPromptly();
warmUp(settings.seed);

function takeRequests(): FabricRequest[] {
  const requests: FabricRequest[] = [];
  for (let m = receiveMessageOnPort(port); m !== undefined; m = receiveMessageOnPort(port))
    requests.push(m.message);
  return requests;
}

new Engine(settings, bellFd, (reply: FabricReply) => port.postMessage(reply)).run(takeRequests);
port.close();
