/** What TCP did in a namespace, by the kernel's own counters. proc_net_snmp, RFC 4022. */
import { readFileSync } from 'node:fs';
import { inNetns } from '../../sys/index.js';

export interface TcpCounters {
  readonly sent: number;
  readonly resent: number;
}

/** Reads the two lines `Tcp: NAMES` and `Tcp: VALUES` of /proc/net/snmp; null when they are not there. */
export function parseTcpCounters(text: string): TcpCounters | null {
  const [names, values] = text.split('\n').filter((line) => line.startsWith('Tcp: '));
  const columns = names?.split(' ') ?? [];
  const at = (name: string): number => Number(values?.split(' ')[columns.indexOf(name)] ?? Number.NaN);
  const sent = at('OutSegs');
  const resent = at('RetransSegs');
  return Number.isFinite(sent) && Number.isFinite(resent) ? { sent, resent } : null;
}

/** Counters of a namespace since it was made. */
export function tcpCounters(netnsFd: number): TcpCounters | null {
  try {
    return parseTcpCounters(inNetns(netnsFd, () => readFileSync('/proc/thread-self/net/snmp', 'utf8')));
  } catch {
    return null;
  }
}

/** Congestion control of new connections in a namespace. */
export function congestionOf(netnsFd: number): string {
  try {
    return inNetns(netnsFd, () => readFileSync('/proc/sys/net/ipv4/tcp_congestion_control', 'utf8').trim());
  } catch {
    return 'unknown';
  }
}
