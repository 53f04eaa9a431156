/**
 * Names for network namespaces under /run/netns, where `ip netns` looks. ip-netns(8), namespaces(7).
 *
 * A named namespace outlives its maker. So a bridge keeps beside its control socket a list of those it made,
 * with their inode numbers, and the next bridge of that name removes what a killed one has left.
 */
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import {
  bindNetns,
  bringUp,
  closeFd,
  createNetns,
  inNetns,
  O_RDONLY,
  openFd,
  unbindNetns,
} from '../sys/index.js';

export const NETNS_DIR = '/run/netns';

/** Gives a namespace a name; false where this process may not. */
export function nameNetns(fd: number, name: string): boolean {
  const path = `${NETNS_DIR}/${name}`;
  try {
    if (!existsSync(NETNS_DIR)) mkdirSync(NETNS_DIR, { recursive: true });
    closeSync(openSync(path, 'wx'));
  } catch {
    return false;
  }
  try {
    bindNetns(fd, path);
    return true;
  } catch {
    unlinkSync(path);
    return false;
  }
}

/** Takes a name away; the namespace itself ends with the last process in it. */
export function unnameNetns(name: string): void {
  const path = `${NETNS_DIR}/${name}`;
  try {
    unbindNetns(path);
    unlinkSync(path);
  } catch {
    // Somebody removed it already: `ip netns del`.
  }
}

/** The words before a command that has it run inside a namespace of this process, named or not. */
export function enterNetnsCommand(fd: number, name: string | null): string {
  const path = name === null ? `/proc/${process.pid}/fd/${fd}` : `${NETNS_DIR}/${name}`;
  return process.env.LONGHAUL_USER_NAMESPACE === undefined
    ? `nsenter --net=${path}`
    : `nsenter -t ${process.pid} -U --preserve-credentials --net=${path}`;
}

export interface OpenNetns {
  /** The name it has in the file. */
  readonly name: string;
  readonly fd: number;
  /** False: it has no name under /run/netns, because this process may give none. */
  readonly named: boolean;
  readonly made: boolean;
}

/** The namespaces that ports of one bridge are in: made when absent, and then removed at the end. */
export class NamespaceSet {
  readonly #listFile: string;
  readonly #open = new Map<string, OpenNetns & { ports: number }>();

  /** @param listFile where the list of what was made stands; what a killed bridge has left there is removed */
  constructor(listFile: string) {
    this.#listFile = listFile;
    if (!existsSync(listFile)) return;
    for (const line of readFileSync(listFile, 'utf8').split('\n')) {
      const [name, inode] = line.split(' ');
      // The inode tells it from one that somebody made under the same name since.
      if (name && inodeOf(name) === Number(inode)) unnameNetns(name);
    }
    rmSync(listFile, { force: true });
  }

  /** A namespace for one more port. @throws EnvironmentError SYS_EPERM, SYS_EACCES */
  enter(name: string): OpenNetns {
    let netns = this.#open.get(name);
    if (netns === undefined) {
      const exists = existsSync(`${NETNS_DIR}/${name}`);
      const fd = exists ? openFd(`${NETNS_DIR}/${name}`, O_RDONLY) : createNetns();
      try {
        // Entering it now, not when a port is half made, finds out whether this process may.
        inNetns(fd, () => (exists ? undefined : bringUp('lo')));
      } catch (e) {
        closeFd(fd);
        throw e;
      }
      netns = { name, fd, made: !exists, named: exists || nameNetns(fd, name), ports: 0 };
      this.#open.set(name, netns);
      this.#writeList();
    }
    netns.ports++;
    return netns;
  }

  /** A port has left; a namespace made here goes with its last one. */
  leave(name: string): void {
    const netns = this.#open.get(name);
    if (netns === undefined || --netns.ports > 0) return;
    this.#open.delete(name);
    if (netns.made && netns.named) unnameNetns(name);
    closeFd(netns.fd);
    this.#writeList();
  }

  #writeList(): void {
    const made = [...this.#open.values()].filter((netns) => netns.made && netns.named);
    if (made.length === 0) rmSync(this.#listFile, { force: true });
    else
      writeFileSync(this.#listFile, made.map(({ name }) => `${name} ${inodeOf(name)}\n`).join(''), {
        mode: 0o600,
      });
  }
}

function inodeOf(name: string): number {
  try {
    return statSync(`${NETNS_DIR}/${name}`).ino;
  } catch {
    return -1;
  }
}
