/** Finds the processes that a run has started, as an outsider would: by asking /proc. */
import { readdirSync, readFileSync } from 'node:fs';

export interface ChildProcessInfo {
  readonly pid: number;
  readonly command: string;
}

/** Direct children of this process. */
export function children(): ChildProcessInfo[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
        const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
        if (parent !== process.pid) return [];
        return [
          { pid: Number(name), command: readFileSync(`/proc/${name}/cmdline`, 'utf8').replaceAll('\0', ' ') },
        ];
      } catch {
        return []; // it ended while we looked
      }
    });
}

/** The hosts' processes; site A's was started first. */
export function hosts(): ChildProcessInfo[] {
  return children()
    .filter((c) => c.command.includes('host-process'))
    .sort((x, y) => x.pid - y.pid);
}
