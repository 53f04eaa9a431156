/**
 * What this machine's processors have done so far, and how much of it was for a process and those it started.
 * proc(5): /proc/stat, /proc/PID/stat, in ticks of a hundredth of a second (USER_HZ).
 */
import { readdirSync, readFileSync } from 'node:fs';

const TICK_NS = 10_000_000;

/** Processor time since the machine started, ns of all processors together. */
export interface ProcessorTime {
  /** At work, for whomever. */
  readonly busyNs: number;
  /** Wanted here, and given to another guest of the hypervisor. */
  readonly stolenNs: number;
}

/** Zeros where there is no /proc/stat to be read. */
export function processorTime(): ProcessorTime {
  const [user, nice, system, , , irq, softirq, stolen] = processorTicks();
  const ns = (...ticks: (number | undefined)[]): number =>
    ticks.reduce<number>((n, t) => n + (t ?? 0), 0) * TICK_NS;
  return { busyNs: ns(user, nice, system, irq, softirq), stolenNs: ns(stolen) };
}

function processorTicks(): number[] {
  try {
    return readFileSync('/proc/stat', 'utf8').split('\n', 1)[0]!.trim().split(/\s+/).slice(1).map(Number);
  } catch {
    return [];
  }
}

/** Processor time of a process, of those it started that live, and of those it has seen end; ns. Reads all of /proc. */
export function processFamilyNs(pid: number): number {
  const parents = new Map<number, number>();
  const ticks = new Map<number, number>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const stat = statOf(name);
    if (stat === null) continue;
    parents.set(Number(name), stat.parent);
    ticks.set(Number(name), stat.ticks);
  }
  let sum = 0;
  for (const [one, n] of ticks) {
    let at: number | undefined = one;
    while (at !== undefined && at !== pid) at = parents.get(at);
    if (at === pid) sum += n;
  }
  return sum * TICK_NS;
}

/** Null of a process that has ended meanwhile. */
function statOf(pid: string): { readonly parent: number; readonly ticks: number } | null {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // A name may hold anything, spaces and brackets too: what follows the last bracket are numbers.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    const [utime, stime, cutime, cstime] = fields.slice(11, 15).map(Number);
    return { parent: Number(fields[1]), ticks: utime! + stime! + cutime! + cstime! };
  } catch {
    return null;
  }
}
