/**
 * The linux guest as a run needs it: booted once for an address and a size of memory, then kept beside its image.
 *
 *   longhaul guest build linux ─► vmlinuz, initramfs.img, bios.bin ─► boot, once ─► state-KEY/{memory, machine}
 *
 * KEY names all that the state depends on, so that a new build, another address or a newer emulator boots anew.
 */
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { EnvironmentError } from '../core/index.js';
import { checkMachineState } from '../guest/index.js';
import { linuxImageFolder } from '../guest/linux/index.js';
import { bootLinux, type LinuxFiles, machineShape } from '../guest/pc/index.js';
import { parseMac } from '../l2/index.js';
import type { Experiment } from './config/experiment.js';

const READY_TEXT = 'linux: ready';
const BOOT_LIMIT_NS = 180_000_000_000;
const REMEDY = 'longhaul guest build linux makes it';

export interface LinuxState {
  /** Files of the machine's memory, as it lies, and of the rest of its state, packed. */
  readonly memoryFile: string;
  readonly stateFile: string;
}

/**
 * Finds the state, or boots for it.
 * @param onLine told in one line what takes long
 * @throws EnvironmentError GUEST_LINUX_MISSING when no image was built, GUEST_BOOT
 */
export async function linuxState(
  guest: Experiment['guest'],
  onLine: (text: string) => void,
  folder = linuxImageFolder(),
): Promise<LinuxState> {
  const files = readFiles(folder);
  const commandLine = [
    'console=ttyS0 quiet tsc=reliable mitigations=off random.trust_cpu=on nowatchdog audit=0 lsm=capability',
    `longhaul.ip=${guest.ip}/24 longhaul.file=${FILE_MIB}`,
    guest.cmdline,
  ]
    .join(' ')
    .trim();
  const hash = createHash('sha256').update(
    `${machineShape(guest.memoryBytes)}\n${guest.mac}\n${commandLine}\n`,
  );
  for (const part of [files.bios, files.kernel, files.initramfs]) hash.update(part);
  const place = join(folder, `state-${hash.digest('hex').slice(0, 16)}`);
  const state = { memoryFile: join(place, 'memory'), stateFile: join(place, 'machine') };
  if (isUsable(state, guest.memoryBytes)) return state;
  rmSync(place, { recursive: true, force: true });
  onLine('booting Linux, once: some ten to forty seconds; later runs begin from its state');
  const mac = parseMac(guest.mac);
  const booted = await bootLinux({
    memoryBytes: guest.memoryBytes,
    mac: Uint8Array.from({ length: 6 }, (_, i) => Math.floor(mac / 256 ** (5 - i)) & 0xff),
    files,
    commandLine,
    readyText: READY_TEXT,
    limitNs: BOOT_LIMIT_NS,
    onLine: () => {},
  });
  const draft = mkdtempSync(join(folder, '.state-'));
  try {
    writeFileSync(join(draft, 'memory'), booted.memory);
    writeFileSync(join(draft, 'machine'), booted.state);
    renameSync(draft, place);
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
  return state;
}

/** Whether it is all there and of the form that is spoken now; a state is kept for long, and its form may change. */
function isUsable({ memoryFile, stateFile }: LinuxState, memoryBytes: number): boolean {
  try {
    const whole = statSync(memoryFile).size === memoryBytes;
    return whole && checkMachineState(readFileSync(stateFile), machineShape(memoryBytes)).ok;
  } catch {
    return false;
  }
}

/** Size of the file that the guest serves. */
const FILE_MIB = 4;

function readFiles(folder: string): LinuxFiles {
  const read = (name: string): Uint8Array => {
    try {
      return readFileSync(join(folder, name));
    } catch (cause) {
      throw new EnvironmentError('GUEST_LINUX_MISSING', `there is no ${name} in ${folder}`, {
        cause,
        hint: REMEDY,
      });
    }
  };
  return { bios: read('bios.bin'), kernel: read('vmlinuz'), initramfs: read('initramfs.img') };
}
