/**
 * The endpoint's thread: builds guest, dirty log, records and links, then runs the loop and returns to libuv only
 * for TLS handshakes. The guest's own thread is started before this one enters the vmk interface's namespace.
 */
import { type MessagePort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { messageOf } from '../core/index.js';
import { connectUdp, Doorbell, nameThread, nowNs, PollSet } from '../sys/index.js';
import { type LinkPoller, type RunKey, SecureLinks } from '../vmotion-protocol/transport/index.js';
import { collectGarbage } from './collect-garbage.js';
import { Endpoint } from './endpoint.js';
import { rehearseFlow } from './flow-rehearsal.js';
import { hostFilesOf } from './host-files.js';
import type { HostOrders, HostReport, HostRequest } from './ipc.js';
import { GuestKeeper, type KeptGuest, readKeptGuest } from './kept-guest.js';
import { readKeyFile, writeKeyFile } from './key-file.js';
import { openLinks } from './open-links.js';
import { PageTable } from './page-table.js';
import { RecordStore } from './records.js';
import { Rehearsal } from './rehearsal.js';
import { startGuest } from './start-guest.js';

const LOOPBACK = 0x7f000001;
/** Descriptors waited for: those of two migrations with 16 streams each, and of as many strangers as may wait. */
const POLLED_MAX = 128;

export interface EndpointThreadData {
  readonly orders: HostOrders;
  readonly bellFd: number;
  readonly port: MessagePort;
}

const { orders, bellFd, port } = workerData as EndpointThreadData;
const files = hostFilesOf(orders.recordsPath);
nameThread(`endpoint ${orders.site}`);

function report(r: HostReport): void {
  port.postMessage(r);
}

function takeRequests(): HostRequest[] {
  const requests: HostRequest[] = [];
  for (let m = receiveMessageOnPort(port); m !== undefined; m = receiveMessageOnPort(port))
    requests.push(m.message);
  return requests;
}

/** What `host resolve` needs when this process is gone. A host that was started again knows its peers already. */
function keepKeys(): void {
  const runKey = orders.runKey === null ? null : Buffer.from(orders.runKey).toString('hex');
  const peerStores = readKeyFile(files.keys)?.peerStores ?? {};
  writeKeyFile(files.keys, { schema: 1, site: orders.site, runKey, peerStores });
}

/** The guest of a migration that is in doubt, where a process before this one has left all of it. */
function keptFor(migrationId: Uint8Array): KeptGuest | null {
  const kept = orders.memoryFile === null ? null : readKeptGuest(files.kept);
  return kept !== null && Buffer.from(migrationId).equals(kept.migrationId) ? kept : null;
}

function firstWord(doubt: 'kept' | 'lost' | null): string {
  if (doubt === 'kept') return 'guest in doubt found again, with memory and state';
  if (doubt === 'lost') return 'memory lost: a guest stood here in doubt when its process ended';
  return orders.boots ? 'guest booted' : 'standing by';
}

function secureLinks(bare: LinkPoller, runKey: RunKey): SecureLinks {
  return new SecureLinks(bare, {
    site: orders.site,
    runKey,
    onRefused: (code, text, times) =>
      report({ type: 'event', atNs: nowNs(), what: `refused ${code}, ${times} so far: ${text}` }),
  });
}

try {
  connectUdp(orders.nicFd, { ip: LOOPBACK, port: orders.nicFabricPort });
  const guest = await startGuest(orders);
  const rehearsal = new Rehearsal(orders.recordsPath, orders.transport, orders.runKey !== null);
  rehearsal.run();
  if (orders.vmk.kind === 'kernel' && orders.transport.kind === 'udp') rehearseFlow(orders.runKey !== null);
  collectGarbage();
  rehearsal.poise();
  const table = new PageTable(guest.memory);
  const records = new RecordStore(orders.recordsPath, orders.durable);
  keepKeys();
  const commit = records.committed(orders.guest.name);
  const kept = commit === null ? null : keptFor(commit.migrationId);
  const polls = new PollSet(POLLED_MAX);
  const bare = openLinks(orders, polls);
  const secured = orders.runKey === null ? null : secureLinks(bare, orders.runKey);
  const endpoint = new Endpoint({
    orders,
    guest,
    table,
    records,
    polls,
    poller: secured ?? bare,
    refusals: secured?.refusals ?? null,
    keeper: orders.memoryFile === null ? null : new GuestKeeper(files.kept),
    kept,
    bell: new Doorbell(bellFd),
    takeRequests,
    rehearsal,
    report,
  });
  const doubt =
    commit === null
      ? null
      : ({
          migrationId: Buffer.from(commit.migrationId).toString('hex'),
          memory: kept === null ? 'lost' : 'kept',
        } as const);
  report({ type: 'ready', dirtyLog: guest.dirtyLog.kind, why: guest.dirtyLogWhy, doubt });
  report({ type: 'event', atNs: nowNs(), what: firstWord(doubt?.memory ?? null) });
  await endpoint.run();
  rehearsal.close();
  await guest.close();
  records.close();
  port.close();
} catch (e) {
  report({ type: 'failed', code: (e as { code?: string }).code ?? 'HOST_FAILED', text: messageOf(e) });
}
