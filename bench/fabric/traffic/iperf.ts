/** TCP through a testbed by iperf3 (Debian package iperf3). */
import { setTimeout as sleep } from 'node:timers/promises';
import { runAt, type Testbed } from '../testbed.js';

export interface TcpRun {
  readonly bps: number;
  readonly retransmits: number;
  /** CPU time of the testbed itself per second of traffic. */
  readonly cpuShare: number;
}

export interface TcpOptions {
  readonly seconds: number;
  readonly streams?: number;
  readonly congestion?: 'cubic' | 'bbr';
  /** Seconds at the beginning that do not count. */
  readonly omitSeconds?: number;
}

const SERVER_READY_MS = 400;

interface IperfReport {
  readonly error?: string;
  readonly end: {
    readonly sum_received: { readonly bits_per_second: number };
    readonly sum_sent: { readonly retransmits: number };
  };
}

/** Sends from a to b as fast as TCP does; the rate is what the receiver got. */
export async function tcp(testbed: Testbed, options: TcpOptions): Promise<TcpRun> {
  const [a, b] = testbed.ends;
  const server = runAt(b, 'iperf3', '-s', '-1').catch(() => '');
  await sleep(SERVER_READY_MS);
  const args = ['-c', b.ip, '-J', '-t', String(options.seconds), '-P', String(options.streams ?? 1)];
  if (options.congestion) args.push('-C', options.congestion);
  if (options.omitSeconds) args.push('-O', String(options.omitSeconds));
  const cpuBefore = testbed.cpuSeconds();
  const report = JSON.parse(await runAt(a, 'iperf3', ...args)) as IperfReport;
  const cpuShare = (testbed.cpuSeconds() - cpuBefore) / (options.seconds + (options.omitSeconds ?? 0));
  await server;
  if (report.error) throw new Error(`iperf3: ${report.error}`);
  return {
    bps: report.end.sum_received.bits_per_second,
    retransmits: report.end.sum_sent.retransmits,
    cpuShare,
  };
}
