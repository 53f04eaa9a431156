/** Makes the guest that a host is ordered to have, of either kind; it stands at its first instruction, or stands by. */
import { randomBytes } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { ConfigError, EnvironmentError, messageOf, PAGE_SIZE } from '../core/index.js';
import {
  dirtyRange,
  fillMemory,
  type GuestErrorCode,
  GuestHeader,
  IMAGE_BYTES_MAX,
  judgeImage,
  layoutOf,
} from '../guest/index.js';
import { createFileMemory, createGuestMemory, WorkloadGuest } from '../guest/memory/index.js';
import { PcGuest } from '../guest/pc/index.js';
import type { HostOrders, PcOrders, WorkloadOrders } from './ipc.js';
import type { HostedGuest } from './moving-guest.js';

/** @throws ConfigError, EnvironmentError, LonghaulError `GUEST_…`, `SYS_…` */
export function startGuest(orders: HostOrders): Promise<HostedGuest> {
  return orders.guest.kind === 'pc' ? startPc(orders, orders.guest) : startWorkload(orders, orders.guest);
}

function startWorkload(orders: HostOrders, g: WorkloadOrders): Promise<WorkloadGuest> {
  const pages = g.memoryBytes / PAGE_SIZE;
  const memory =
    orders.memoryFile === null
      ? createGuestMemory(pages)
      : createFileMemory(pages, orders.memoryFile, orders.again);
  const layout = layoutOf(memory.pages);
  if (orders.boots) {
    fillMemory(g.fill, g.seed, memory.bytes, layout.freeFirstPage, memory.pages);
    new GuestHeader(memory.bytes).format(layout, g.seed, randomBytes(16));
  }
  return WorkloadGuest.start({
    memory,
    entry: new URL('./guest-thread.js', import.meta.url),
    nicFd: orders.nicFd,
    mac: macBytes(g.mac),
    ip: g.ip,
    dirty: { ...g.dirty, ...dirtyRange(layout, g.dirty.pages) },
    dirtyLog: 'auto',
  });
}

async function startPc(orders: HostOrders, g: PcOrders): Promise<PcGuest> {
  const guest = await PcGuest.start({
    entry: new URL('./pc-thread.js', import.meta.url),
    memoryBytes: g.memoryBytes,
    nicFd: orders.nicFd,
    mac: macBytes(g.mac),
    image: g.saved === null ? await readImage(g.image, g.memoryBytes) : null,
    commandLine: g.commandLine,
    boots: orders.boots,
    consolePath: g.consolePath,
    dirtyLog: 'auto',
  });
  if (orders.boots && g.saved !== null) {
    guest.memory.bytes.set(await readFile(g.saved.memoryFile));
    guest.loadState(await readFile(g.saved.stateFile));
  }
  return guest;
}

/**
 * Reads an image and makes sure that it can be booted in so much memory.
 * @throws EnvironmentError `GUEST_IMAGE_MISSING`; ConfigError `GUEST_IMAGE_INVALID`, `GUEST_IMAGE_TOO_LARGE`
 */
export async function readImage(path: string, memoryBytes: number): Promise<Uint8Array> {
  const hint = 'guest.image names a multiboot image (ELF32 for i386); left out, it is the metal image';
  let image: Uint8Array;
  try {
    const { size } = await stat(path);
    if (size > IMAGE_BYTES_MAX)
      throw new ConfigError<GuestErrorCode>(
        'GUEST_IMAGE_TOO_LARGE',
        `the image ${path} has ${size} bytes; at most ${IMAGE_BYTES_MAX} are read`,
        { hint },
      );
    image = await readFile(path);
  } catch (e) {
    if (e instanceof ConfigError) throw e;
    throw new EnvironmentError<GuestErrorCode>(
      'GUEST_IMAGE_MISSING',
      `the image ${path} cannot be read: ${messageOf(e)}`,
      { cause: e, hint },
    );
  }
  const verdict = judgeImage(image, memoryBytes);
  if (!verdict.ok)
    throw new ConfigError<GuestErrorCode>(
      verdict.code,
      `the image ${path} cannot be booted: ${verdict.text}`,
      {
        hint: verdict.code === 'GUEST_IMAGE_TOO_LARGE' ? 'raise guest.memory' : hint,
      },
    );
  return image;
}

function macBytes(mac: number): Uint8Array {
  return Uint8Array.from({ length: 6 }, (_, i) => Math.floor(mac / 256 ** (5 - i)) & 0xff);
}
