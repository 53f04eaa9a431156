/**
 * A host: a process of its own, so that it can be killed at any instant of a migration. The main thread only
 * carries orders down and reports up; the endpoint's thread does the work, the guest's thread is the guest.
 */
import { resourceUsage } from 'node:process';
import { setFlagsFromString } from 'node:v8';
import { MessageChannel, Worker } from 'node:worker_threads';
import { Doorbell, dieWithParent } from '../sys/index.js';
import { serveControl } from './control-socket.js';
import { settledBy } from './doubt-orders.js';
import { hostFilesOf } from './host-files.js';
import { HostStatusKeeper } from './host-status.js';
import type { HostReport, HostRequest } from './ipc.js';

dieWithParent();
// Code of a pause is used once in a while, and V8 throws away what it has not seen used for a few collections.
setFlagsFromString('--no-flush-bytecode');

const bell = new Doorbell();
const channel = new MessageChannel();
const keeper = new HostStatusKeeper();
/** Of the endpoint's thread. */
const YOUNG_MB = 4;
let thread: Worker | null = null;

function tell(report: HostReport): void {
  if (process.connected) process.send?.(report);
}

function order(request: HostRequest): void {
  channel.port1.postMessage(request);
  bell.ring();
}

channel.port1.on('message', (report: HostReport) => {
  keeper.reported(report);
  tell(report);
});

process.on('message', (request: HostRequest) => {
  keeper.ordered(request);
  switch (request.type) {
    case 'begin':
      thread = new Worker(new URL('./endpoint-thread.js', import.meta.url), {
        workerData: { orders: request.orders, bellFd: bell.fd, port: channel.port2 },
        transferList: [channel.port2],
        name: `endpoint ${request.orders.site}`,
        // What it allocates is short-lived: a small nursery is emptied often, and a host's memory is its guest's.
        resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MB },
      });
      thread.on('error', (e) => tell({ type: 'failed', code: 'HOST_FAILED', text: e.message }));
      thread.on('exit', () => process.exit(0));
      serveControl(hostFilesOf(request.orders.recordsPath).socket, {
        status: () => keeper.status(),
        resolve: settledBy(keeper, order, channel.port1),
      });
      break;
    case 'peak':
      tell({ type: 'peak', bytes: resourceUsage().maxRSS * 1024 });
      break;
    default:
      order(request);
  }
});
// Without the lab there is nobody to run for; SIGKILL of the lab reaches us by PDEATHSIG as well.
process.on('disconnect', () => process.exit(0));
// Ctrl-C reaches the whole process group: the lab ends its children in order.
process.on('SIGINT', () => {});
