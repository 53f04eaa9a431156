/**
 * A PC of the `v86` package under our own clockwork: it runs while we call it and stands while we do not.
 *
 *   boot ─► step: guest code until it halts or a millisecond is over ─► how long it will sleep
 *             │
 *   frames in ┴ frames out, by its virtio-net card        save ─► state without memory ─► restore elsewhere
 *
 * What is taken into our own hands, and why:
 *   the main loop   v86's yields to the event loop by timers of whole milliseconds; ours sleeps in ppoll on the NIC
 *   compiled code   v86 has WebAssembly compiled in the background, which needs an event loop; ours compiles what a
 *                   step asked for when that step is over, and keeps it over a restore where memory is the same
 *   memory          stays where it is: pages move by themselves, so saving packs none and restoring unpacks none
 *
 * v86 runs multiboot images without a BIOS. It has no option for a MAC address: the card is told before the boot.
 */

import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { LonghaulError, messageOf, PAGE_SIZE } from '../../core/index.js';
import type { GuestErrorCode } from '../index.js';

/** Least that v86 makes; a screen that nobody looks at needs no more. */
const SCREEN_BYTES = 256 * 1024;
/** Where v86's table of compiled code begins (its `WASM_TABLE_OFFSET`). */
const CODE_TABLE_OFFSET = 1024;
/** Index of v86's setting: a module of one page depends on that page alone. */
const JIT_PAGES_OF_A_MODULE = 1;
const CR0_PAGING = 0x80000000;
const ESP = 4;
const PCI_BARS_WORD = 4;
const PCI_BARS = 6;

/** What is used of the package's inside, which its own types leave out. */
interface Emulator {
  readonly bus: { send(name: string, data: unknown): void };
  readonly v86: { readonly cpu: Cpu };
  add_listener(name: string, listener: (data: never) => void): void;
}
interface Cpu {
  readonly wasm_memory: { readonly buffer: ArrayBuffer };
  readonly mem8: { readonly byteOffset: number; readonly length: number };
  readonly wm: { readonly wasm_table: { set(index: number, code: unknown): void } };
  readonly jit_imports: unknown;
  readonly instruction_pointer: Int32Array;
  readonly reg32: Int32Array;
  readonly cr: Int32Array;
  readonly devices: {
    readonly virtio_net: { mac: Uint8Array; readonly virtio: { readonly queues: readonly Queue[] } };
    readonly pci: {
      readonly devices: readonly ({ readonly pci_bars: readonly (object | undefined)[] } | undefined)[];
      readonly device_spaces: readonly (Int32Array | undefined)[];
    };
  };
  main_loop(): number;
  run_hardware_timers(acpiEnabled: boolean, now: number): number;
  set_jit_config(index: number, value: number): void;
  jit_clear_cache(): void;
  codegen_finalize(index: number, start: number, flags: number, address: number, length: number): void;
  codegen_finalize_finished(index: number, start: number, flags: number): void;
  get_state(): unknown;
  set_state(state: unknown): void;
  pack_memory(): { bitmap: { get_buffer(): ArrayBuffer }; packed_memory: Uint8Array };
  unpack_memory(): void;
}
interface Queue {
  has_request(): boolean;
}
/** What the library of ES2023 leaves to the DOM's. */
declare const WebAssembly: {
  readonly Module: new (code: Uint8Array) => object;
  readonly Instance: new (module: object, imports: object) => { readonly exports: { readonly f: unknown } };
  instantiate(code: Uint8Array, imports: object): Promise<{ instance: { exports: unknown } }>;
};

/** A multiboot image needs no BIOS; Linux is loaded as a PC's BIOS and its boot protocol have it. */
export type MachineBoot =
  | { readonly kind: 'multiboot'; readonly image: Uint8Array; readonly commandLine: string }
  | {
      readonly kind: 'linux';
      readonly bios: Uint8Array;
      readonly kernel: Uint8Array;
      readonly initramfs: Uint8Array;
      readonly commandLine: string;
    };

export interface MachineOptions {
  readonly memoryBytes: number;
  readonly mac: Uint8Array;
  /** What is booted; null for a machine that waits for the state of another. */
  readonly boot: MachineBoot | null;
  /** A frame that leaves; its bytes are the machine's own. */
  readonly onFrame: (frame: Uint8Array) => void;
  /** A byte from the first serial port. */
  readonly onSerial: (byte: number) => void;
}

/** Compiled code by what it was compiled from: a machine that comes back finds what it left. */
const COMPILED_MAX = 512;

interface WaitingCode {
  readonly index: number;
  readonly start: number;
  readonly flags: number;
  readonly code: Uint8Array;
}

const require = createRequire(import.meta.url);

/** Names emulator, version, memory and devices: a state goes to a machine of the same shape only. */
export function machineShape(memoryBytes: number): string {
  const { version } = require('v86/package.json') as { version: string };
  return `v86-${version} ${memoryBytes / 1024}KiB screen-${SCREEN_BYTES / 1024}KiB virtio-net`;
}

export class V86Machine {
  readonly #emulator: Emulator;
  readonly #cpu: Cpu;
  readonly #code: WaitingCode[] = [];
  readonly #modules = new Map<string, object>();
  /** Pages that code was compiled from, by address, as they were then. */
  readonly #compiledFrom = new Map<number, Buffer>();
  readonly #empty = { bitmap: { get_buffer: () => new ArrayBuffer(0) }, packed_memory: new Uint8Array(0) };
  /** Called from within a step, every few hundred microseconds at most. */
  onTurn: () => void = () => {};

  private constructor(emulator: Emulator) {
    this.#emulator = emulator;
    this.#cpu = emulator.v86.cpu;
    const cpu = this.#cpu;
    cpu.codegen_finalize = (index, start, flags, address, length) => {
      const code = new Uint8Array(cpu.wasm_memory.buffer, address >>> 0, length >>> 0).slice();
      this.#code.push({ index, start, flags, code });
      const page = (start >>> 0) & ~(PAGE_SIZE - 1);
      this.#compiledFrom.set(page, Buffer.from(this.memory().subarray(page, page + PAGE_SIZE)));
    };
    cpu.set_jit_config(JIT_PAGES_OF_A_MODULE, 1);
    cpu.pack_memory = () => this.#empty;
    cpu.unpack_memory = () => {};
    const timers = cpu.run_hardware_timers.bind(cpu);
    cpu.run_hardware_timers = (acpiEnabled, now) => {
      this.onTurn();
      return timers(acpiEnabled, now);
    };
    zeroUnbackedBars(cpu);
  }

  /** @throws LonghaulError `GUEST_MACHINE` */
  static async start(options: MachineOptions): Promise<V86Machine> {
    try {
      const wasm = await readFile(require.resolve('v86/build/v86.wasm'));
      const { V86 } = (await import('v86')) as unknown as { V86: new (options: object) => Emulator };
      const emulator = await new Promise<Emulator>((resolve, reject) => {
        const made = new V86({
          wasm_fn: (imports: object) =>
            WebAssembly.instantiate(wasm, imports).then(({ instance }) => instance.exports, reject),
          memory_size: options.memoryBytes,
          vga_memory_size: SCREEN_BYTES,
          net_device: { type: 'virtio' },
          preserve_mac_from_state_image: true,
          autostart: false,
          disable_speaker: true,
          disable_keyboard: true,
          disable_mouse: true,
          ...bootOptions(options.boot),
        });
        made.add_listener('serial0-output-byte', options.onSerial as (data: never) => void);
        made.add_listener('net0-send', options.onFrame as (data: never) => void);
        made.add_listener('emulator-ready', () => resolve(made));
      });
      const machine = new V86Machine(emulator);
      machine.#cpu.devices.virtio_net.mac.set(options.mac);
      return machine;
    } catch (e) {
      throw new LonghaulError<GuestErrorCode>(
        'GUEST_MACHINE',
        `the machine does not start: ${messageOf(e)}`,
        {
          cause: e,
          hint: 'npm ci puts the package v86 in place; another image may be what it cannot load',
        },
      );
    }
  }

  /** Guest memory: stays at this place for as long as this machine lives. To be looked up anew after every await. */
  memory(): Uint8Array<ArrayBuffer> {
    const { mem8, wasm_memory } = this.#cpu;
    return new Uint8Array(wasm_memory.buffer, mem8.byteOffset, mem8.length);
  }

  /**
   * Reads where the next instruction and the stack are, so that these pages are there: what `step` does next begins
   * with an instruction. @returns what it read, of no meaning. With paging on, the addresses are virtual, and the pages are found by the step itself.
   */
  touchNext(): number {
    const { cr, instruction_pointer, reg32 } = this.#cpu;
    if (cr[0]! & CR0_PAGING) return 0;
    const memory = this.memory();
    return (memory[instruction_pointer[0]! >>> 0] ?? 0) + (memory[reg32[ESP]! >>> 0] ?? 0);
  }

  /**
   * Runs the guest until it halts, for a millisecond or two at most.
   * @returns nanoseconds that it will sleep unless a frame comes; 0 when it has more to do
   */
  step(): number {
    const sleepMs = this.#cpu.main_loop();
    for (let i = 0; i < this.#code.length; i++) {
      const { index, start, flags, code } = this.#code[i]!;
      const compiled = new WebAssembly.Instance(this.#moduleOf(code), { e: this.#cpu.jit_imports });
      this.#cpu.wm.wasm_table.set(index + CODE_TABLE_OFFSET, compiled.exports.f);
      this.#cpu.codegen_finalize_finished(index, start, flags);
    }
    this.#code.length = 0;
    return sleepMs > 0 ? sleepMs * 1e6 : 0;
  }

  /** A module of this code, made before if it is the same to the byte. */
  #moduleOf(code: Uint8Array): object {
    const key = createHash('sha1').update(code).digest('base64');
    const known = this.#modules.get(key);
    if (known !== undefined) return known;
    if (this.#modules.size >= COMPILED_MAX) this.#modules.clear();
    const made = new WebAssembly.Module(code);
    this.#modules.set(key, made);
    return made;
  }

  /** Whether the card has a buffer for a frame: without one it would lose it. */
  takesFrames(): boolean {
    return this.#cpu.devices.virtio_net.virtio.queues[0]!.has_request();
  }

  /** Gives the card a frame that has come; its bytes are copied. */
  deliver(frame: Uint8Array): void {
    this.#emulator.bus.send('net0-receive', frame);
  }

  /** Gives the first serial port a byte that was typed. */
  type(byte: number): void {
    this.#emulator.bus.send('serial0-input', byte);
  }

  /** All that is not memory, of a machine that stands: a tree that looks into it, for `packMachineState`. */
  save(): unknown {
    return this.#cpu.get_state();
  }

  /** Goes on from where another machine of the same shape stood; the memory has to be that machine's by then. */
  restore(tree: unknown): void {
    const cpu = this.#cpu;
    const clear = cpu.jit_clear_cache;
    if (this.#isCompiledFromMemory()) cpu.jit_clear_cache = () => {};
    else this.#compiledFrom.clear();
    try {
      cpu.set_state(tree);
    } finally {
      cpu.jit_clear_cache = clear;
    }
  }

  /** Whether all that is compiled is still what stands in memory: then it need not be compiled again. */
  #isCompiledFromMemory(): boolean {
    const memory = this.memory();
    for (const [page, bytes] of this.#compiledFrom)
      if (!bytes.equals(memory.subarray(page, page + PAGE_SIZE))) return false;
    return true;
  }
}

/** What is booted, in the package's words. */
function bootOptions(boot: MachineBoot | null): object {
  const file = (bytes: Uint8Array): object => ({ buffer: new Uint8Array(bytes).buffer });
  switch (boot?.kind) {
    case undefined:
      return {};
    case 'multiboot':
      return { multiboot: file(boot.image), cmdline: boot.commandLine };
    case 'linux':
      return {
        bios: file(boot.bios),
        bzimage: file(boot.kernel),
        initrd: file(boot.initramfs),
        cmdline: boot.commandLine,
      };
  }
}

/** v86 presets base addresses that no device stands behind, and stumbles over them when a state is restored. */
function zeroUnbackedBars({ devices: { pci } }: Cpu): void {
  for (const [id, device] of pci.devices.entries()) {
    const space = pci.device_spaces[id];
    if (device === undefined || space === undefined) continue;
    for (let bar = 0; bar < PCI_BARS; bar++)
      if (device.pci_bars[bar] === undefined) space[PCI_BARS_WORD + bar] = 0;
  }
}
