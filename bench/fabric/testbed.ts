/**
 * Two namespaces and something between them: what every measure of this bench is given.
 *
 *   site a: eth0 10.80.1.1 ──── veth pair | longhaul's fabric | VDE | … ──── eth0 10.80.1.2 :site b
 */
import { spawn, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { closeFd, inNetns } from '../../src/sys/index.js';

export type Side = 0 | 1;

/** One end: a namespace with one interface. */
export interface End {
  readonly netnsFd: number;
  readonly interfaceName: string;
  readonly ip: string;
  readonly mac: number;
}

export interface Testbed {
  readonly name: string;
  readonly ends: readonly [End, End];
  /** CPU time that carrying frames has taken so far, seconds; what the kernel does for the ends' own sockets is not in it. */
  cpuSeconds(): number;
  close(): Promise<void>;
}

/** What an interface has counted. */
export interface InterfaceCounters {
  readonly receivedFrames: number;
  readonly receiveDrops: number;
  readonly sentFrames: number;
  readonly sendDrops: number;
}

/** Runs a program inside an end's namespace; resolves with its standard output once it has ended. */
export function runAt(end: End, program: string, ...args: string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = inNetns(end.netnsFd, () => spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] }));
    let out = '';
    let errors = '';
    child.stdout.on('data', (d) => {
      out += d;
    });
    child.stderr.on('data', (d) => {
      errors += d;
    });
    child.on('error', reject);
    child.on('close', (code) => {
      if (code === 0 || out !== '') resolve(out);
      else reject(new Error(`${program} ended with ${code}: ${errors.trim()}`));
    });
  });
}

/** Reads the end's interface counters from the kernel; proc_net(5). */
export function countersAt(end: End): InterfaceCounters {
  const text = inNetns(end.netnsFd, () => readFileSync('/proc/thread-self/net/dev', 'utf8'));
  const line = text.split('\n').find((l) => l.trim().startsWith(`${end.interfaceName}:`));
  if (line === undefined) throw new Error(`no interface ${end.interfaceName} at ${end.ip}`);
  const n = line
    .slice(line.indexOf(':') + 1)
    .trim()
    .split(/\s+/)
    .map(Number);
  return { receivedFrames: n[1]!, receiveDrops: n[3]!, sentFrames: n[9]!, sendDrops: n[11]! };
}

export function isOnPath(program: string): boolean {
  return spawnSync('sh', ['-c', `command -v ${program}`]).status === 0;
}

export function closeEnds(ends: readonly End[]): void {
  for (const end of ends) closeFd(end.netnsFd);
}

/** User and system time of a process so far, seconds; proc_pid_stat(5), fields 14 and 15, in ticks of 10 ms. */
export function cpuSecondsOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}
