/**
 * A Linux that has booted: the machine is started once with a BIOS, a kernel and its first root file system, and runs
 * until its serial line says that it is ready; its memory and its state are then kept, and runs begin from there.
 *
 * Booting is done in the calling thread and takes some ten to forty seconds; nothing else happens in it meanwhile.
 */
import { EnvironmentError } from '../../core/index.js';
import { nowNs, PollSet } from '../../sys/index.js';
import { type GuestErrorCode, packMachineState } from '../index.js';
import { STATE_BOX_BYTES } from './state-box.js';
import { machineShape, V86Machine } from './v86-machine.js';

/** What a PC boots Linux from. */
export interface LinuxFiles {
  readonly bios: Uint8Array;
  readonly kernel: Uint8Array;
  readonly initramfs: Uint8Array;
}

export interface BootOptions {
  readonly memoryBytes: number;
  readonly mac: Uint8Array;
  readonly files: LinuxFiles;
  readonly commandLine: string;
  /** A line with these words says that it is ready. */
  readonly readyText: string;
  readonly limitNs: number;
  /** Told of each line that the kernel and its first process write. */
  readonly onLine: (line: string) => void;
}

export interface BootedMachine {
  /** A view of the machine's memory: copy or write it out before the thread ends. */
  readonly memory: Uint8Array<ArrayBuffer>;
  /** All that is not memory, packed. */
  readonly state: Uint8Array;
}

/** What comes after the line that says ready: the shell's own start. */
const SETTLE_NS = 1_000_000_000;
const SLEEP_MAX_NS = 10_000_000;

/** @throws LonghaulError GUEST_MACHINE; EnvironmentError GUEST_BOOT when it is not ready in time */
export async function bootLinux(options: BootOptions): Promise<BootedMachine> {
  let line = '';
  let last = '';
  let readyNs = Number.POSITIVE_INFINITY;
  const machine = await V86Machine.start({
    memoryBytes: options.memoryBytes,
    mac: options.mac,
    boot: { kind: 'linux', ...options.files, commandLine: options.commandLine },
    onFrame: () => {},
    onSerial: (byte) => {
      if (byte !== 10) {
        line += String.fromCharCode(byte);
        return;
      }
      last = line.trim();
      line = '';
      if (last !== '') options.onLine(last);
      if (last.includes(options.readyText)) readyNs = nowNs();
    },
  });
  const untilNs = nowNs() + options.limitNs;
  const sleep = new PollSet(1);
  while (nowNs() < readyNs + SETTLE_NS) {
    if (readyNs === Number.POSITIVE_INFINITY && nowNs() > untilNs) {
      throw new EnvironmentError<GuestErrorCode>(
        'GUEST_BOOT',
        `Linux is not ready ${Math.round(options.limitNs / 1e9)} s after its start; its last words: ${last || 'none'}`,
        { hint: 'build it anew (longhaul guest build linux), or try on a machine that is less busy' },
      );
    }
    const sleepNs = machine.step();
    if (sleepNs > 0) sleep.wait(Math.min(sleepNs, SLEEP_MAX_NS));
  }
  const room = new Uint8Array(STATE_BOX_BYTES);
  const length = packMachineState(machineShape(options.memoryBytes), machine.save(), room);
  if (length < 0) {
    throw new EnvironmentError<GuestErrorCode>(
      'GUEST_STATE_INVALID',
      'the state of the booted Linux is too large to move',
      { hint: 'a kernel that draws on the screen fills its memory: it is to write to the serial line only' },
    );
  }
  return { memory: machine.memory(), state: room.slice(0, length) };
}
