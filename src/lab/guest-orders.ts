/** What hosts are told of the guest: a model, or a machine whose dirty model and addresses are on its command line. */
import { isAbsolute, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { PAGE_SIZE } from '../core/index.js';
import type { GuestOrders } from '../host/index.js';
import { parseIpv4, parseMac } from '../l2/index.js';
import type { Experiment } from './config/experiment.js';
import type { LinuxState } from './linux-state.js';

export const GUEST_NAME = 'guest';
/** A machine's serial console, in its run's directory. */
export const CONSOLE_FILE = 'guest.console';
/** The machine that comes with longhaul; its README has the parameters. */
export const METAL_IMAGE = fileURLToPath(new URL('../../../guest-images/metal/metal.elf', import.meta.url));
const MIB = 2 ** 20;

/**
 * @param consolePath where a machine's serial console goes
 * @param linux where a Linux that has booted is kept; null for other guests
 */
export function guestOrders(
  guest: Experiment['guest'],
  seed: number,
  consolePath: string,
  linux: LinuxState | null,
): GuestOrders {
  const any = {
    name: GUEST_NAME,
    memoryBytes: guest.memoryBytes,
    mac: parseMac(guest.mac),
    ip: parseIpv4(guest.ip),
  };
  if (guest.kind !== 'workload')
    return {
      ...any,
      kind: 'pc',
      image: imageOf(guest),
      commandLine: commandLineOf(guest, seed),
      saved: linux,
      consolePath,
    };
  const { model, pagesPerS, hotSetBytes, skew } = guest.dirty;
  return {
    ...any,
    kind: 'workload',
    fill: guest.fill,
    seed,
    dirty: {
      model,
      pagesPerS,
      firstPage: 0,
      pages: Math.max(1, Math.floor(hotSetBytes / PAGE_SIZE)),
      ...(model === 'zipf' ? { alpha: skew } : {}),
    },
  };
}

export function imageOf({ image }: Pick<Experiment['guest'], 'image'>): string {
  return image === null ? METAL_IMAGE : isAbsolute(image) ? image : resolve(image);
}

/** The parameters of `guest-images/metal`; an image that does not know them leaves them alone. */
export function commandLineOf(guest: Experiment['guest'], seed: number): string {
  const { model, pagesPerS, hotSetBytes } = guest.dirty;
  return [
    `ip=${guest.ip}`,
    `mac=${guest.mac}`,
    `dirty=${model === 'idle' ? 0 : Math.round((pagesPerS * PAGE_SIZE) / 1e6)}`,
    `hot=${Math.max(1, Math.floor(hotSetBytes / MIB))}`,
    `order=${model === 'sweep' ? 'sweep' : 'uniform'}`,
    `fill=${guest.fill === 'zero' ? 'none' : 'random'}`,
    `seed=${seed % 400_000_000}`,
    guest.cmdline,
  ]
    .join(' ')
    .trim();
}
