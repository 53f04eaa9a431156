/**
 * Sends the IPv4 packets of a capture by the package `raw-socket`: the kernel routes them, out of whatever interface
 * leads there. raw(7): with IP_HDRINCL it takes the header as it is, fills in its checksum and total length, and an
 * identification of 0.
 *
 * `raw-socket` answers through the event loop, so this is paced there: between packets the loop turns without sleeping
 * when one is due within two milliseconds. Left out: IPv6, whose raw sockets take no header; and answers, which are
 * this machine's.
 */
import { createRequire } from 'node:module';
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises';
import { EnvironmentError, messageOf } from '../core/index.js';
import { ETHERTYPE_IPV4, ethernetPayloadAt, formatIpv4, IPV4_DST, ipv4HeaderBytes } from '../l2/index.js';
import { nowNs } from '../sys/index.js';
import type { FrameBatch } from './batch.js';
import type { ReplayErrorCode } from './errors.js';
import type { DirectionReport, SenderReport } from './messages.js';
import { type Pace, PaceSchedule } from './pacing.js';
import { DurationHistogram, PacingErrors } from './pacing-errors.js';

/** What of `raw-socket` is used here. */
interface RawSocket {
  send(
    buffer: Buffer,
    offset: number,
    length: number,
    address: string,
    done: (error: Error | null, bytes: number) => void,
  ): void;
  setOption(level: number, option: number, value: number): void;
  on(event: 'error', listener: (e: Error) => void): void;
  close(): void;
}
interface RawSocketModule {
  createSocket(options: { protocol: number; bufferSize: number }): RawSocket;
}

const IPPROTO_RAW = 255;
const IPPROTO_IP = 0;
const IP_HDRINCL = 3;
/** Node's timers count milliseconds: within two of a packet the loop turns. */
const TURN_BEFORE_NS = 2_000_000;

function openRawSocket(): RawSocket {
  try {
    const raw = createRequire(import.meta.url)('raw-socket') as RawSocketModule;
    const socket = raw.createSocket({ protocol: IPPROTO_RAW, bufferSize: 65_536 });
    socket.setOption(IPPROTO_IP, IP_HDRINCL, 1);
    return socket;
  } catch (cause) {
    throw new EnvironmentError<ReplayErrorCode>(
      'REPLAY_TARGET',
      `--to raw-ip: a raw socket cannot be had (${messageOf(cause)})`,
      { cause, hint: 'run as root, with the optional package raw-socket built: npm rebuild raw-socket' },
    );
  }
}

/** Sends every IPv4 packet; what is none counts as refused. @throws EnvironmentError REPLAY_TARGET */
export async function sendRawIp(
  batches: AsyncIterable<FrameBatch>,
  pace: Pace,
  signal: AbortSignal,
): Promise<SenderReport> {
  const socket = openRawSocket();
  socket.on('error', () => {}); // told to each packet's callback as well
  const schedule = new PaceSchedule(pace);
  const errors = new PacingErrors();
  const counts = [newCounts(), newCounts()] as const;
  let anchorNs = -1;
  let lastNs = 0;
  try {
    for await (const batch of batches) {
      if (anchorNs < 0) anchorNs = nowNs() + TURN_BEFORE_NS;
      for (let i = 0; i < batch.count && !signal.aborted; i++) {
        const dueNs = anchorNs + schedule.next(batch.capturedNs[i]!, batch.wireBytes[i]!);
        const count = counts[batch.direction[i] === 0 ? 0 : 1];
        const packet = ipv4Of(batch, i);
        if (packet === null) {
          count.refused++;
          continue;
        }
        await until(dueNs, signal);
        lastNs = nowNs();
        if (pace.kind !== 'top' && pace.kind !== 'one-at-a-time') errors.record(lastNs - dueNs);
        count.sent++;
        count.sentBytes += batch.length[i]!;
        if (!(await sendOne(socket, packet))) count.refused++;
      }
      if (signal.aborted) break;
    }
  } finally {
    socket.close();
  }
  return {
    directions: [reportOf(counts[0]), reportOf(counts[1])],
    pacingErrorNs: errors.distribution(),
    driftNs: errors.driftNs(),
    backwards: schedule.backwards,
    starved: 0,
    arrivedNotKept: 0,
    realTimeShare: 0,
    durationNs: Math.max(0, lastNs - anchorNs),
  };
}

async function until(dueNs: number, signal: AbortSignal): Promise<void> {
  for (let leftNs = dueNs - nowNs(); leftNs > 0 && !signal.aborted; leftNs = dueNs - nowNs()) {
    if (leftNs > 2 * TURN_BEFORE_NS) {
      await sleep((leftNs - TURN_BEFORE_NS) / 1e6, undefined, { signal }).catch(() => {});
    } else {
      await turn();
    }
  }
}

function sendOne(socket: RawSocket, packet: { bytes: Buffer; to: string }): Promise<boolean> {
  return new Promise((resolve) => {
    socket.send(packet.bytes, 0, packet.bytes.length, packet.to, (error) => resolve(error === null));
  });
}

function ipv4Of(batch: FrameBatch, i: number): { bytes: Buffer; to: string } | null {
  const start = batch.at[i]!;
  const end = start + batch.length[i]!;
  const at = ethernetPayloadAt(batch.bytes, start, end);
  if (at < 0 || ((batch.bytes[at - 2]! << 8) | batch.bytes[at - 1]!) !== ETHERTYPE_IPV4) return null;
  if (ipv4HeaderBytes(batch.bytes, at, end) < 0) return null;
  const length = Math.min(end - at, (batch.bytes[at + 2]! << 8) | batch.bytes[at + 3]!);
  const view = new DataView(batch.bytes.buffer);
  return {
    bytes: Buffer.from(batch.bytes.buffer, at, length),
    to: formatIpv4(view.getUint32(at + IPV4_DST)),
  };
}

interface Counts {
  sent: number;
  sentBytes: number;
  refused: number;
}

function newCounts(): Counts {
  return { sent: 0, sentBytes: 0, refused: 0 };
}

function reportOf(counts: Counts): DirectionReport {
  const oneWayNs = new DurationHistogram().distribution();
  return { ...counts, delivered: 0, reordered: 0, duplicated: 0, unknown: 0, oneWayNs };
}
