/**
 * The endpoint's thread: builds guest, dirty log, records and links, then runs the loop and never returns to
 * libuv. The guest's own thread is started before this one enters the vmk interface's namespace.
 */
import { randomBytes } from 'node:crypto';
import { type MessagePort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { messageOf, PAGE_SIZE } from '../core/index.js';
import { dirtyRange, fillMemory, GuestHeader, layoutOf } from '../guest/index.js';
import { createGuestMemory, WorkloadGuest } from '../guest/memory/index.js';
import { connectUdp, Doorbell, nowNs, PollSet } from '../sys/index.js';
import { Endpoint } from './endpoint.js';
import type { HostOrders, HostReport, HostRequest } from './ipc.js';
import { openLinks } from './open-links.js';
import { PageTable } from './page-table.js';
import { RecordStore } from './records.js';
import { rehearse } from './rehearsal.js';

const LOOPBACK = 0x7f000001;

export interface EndpointThreadData {
  readonly orders: HostOrders;
  readonly bellFd: number;
  readonly port: MessagePort;
}

const { orders, bellFd, port } = workerData as EndpointThreadData;

function report(r: HostReport): void {
  port.postMessage(r);
}

function takeRequests(): HostRequest[] {
  const requests: HostRequest[] = [];
  for (let m = receiveMessageOnPort(port); m !== undefined; m = receiveMessageOnPort(port))
    requests.push(m.message);
  return requests;
}

function macBytes(mac: number): Uint8Array {
  return Uint8Array.from({ length: 6 }, (_, i) => Math.floor(mac / 256 ** (5 - i)) & 0xff);
}

try {
  const { guest: g } = orders;
  const memory = createGuestMemory(g.memoryBytes / PAGE_SIZE);
  const layout = layoutOf(memory.pages);
  if (orders.boots) {
    fillMemory(g.fill, g.seed, memory.bytes, layout.freeFirstPage, memory.pages);
    new GuestHeader(memory.bytes).format(layout, g.seed, randomBytes(16));
  }
  connectUdp(orders.nicFd, { ip: LOOPBACK, port: orders.nicFabricPort });
  const guest = await WorkloadGuest.start({
    memory,
    entry: new URL('./guest-thread.js', import.meta.url),
    nicFd: orders.nicFd,
    mac: macBytes(g.mac),
    ip: g.ip,
    dirty: { ...g.dirty, ...dirtyRange(layout, g.dirty.pages) },
    dirtyLog: 'auto',
  });
  rehearse(orders.recordsPath, orders.transport);
  const table = new PageTable(memory);
  const records = new RecordStore(orders.recordsPath);
  const polls = new PollSet(64);
  const poller = openLinks(orders, polls);
  const endpoint = new Endpoint({
    orders,
    guest,
    table,
    records,
    polls,
    poller,
    bell: new Doorbell(bellFd),
    takeRequests,
    report,
  });
  report({ type: 'ready', dirtyLog: guest.dirtyLog.kind, why: guest.dirtyLogWhy });
  report({ type: 'event', atNs: nowNs(), what: orders.boots ? 'guest booted' : 'standing by' });
  endpoint.run();
  await guest.close();
  records.close();
  port.close();
} catch (e) {
  report({ type: 'failed', code: (e as { code?: string }).code ?? 'HOST_FAILED', text: messageOf(e) });
}
