/** The guest of a rehearsal: 256 KiB of memory without a thread, which writes some pages whenever it is asked what it wrote. */
import { PAGE_SIZE } from '../core/index.js';
import { type DirtyLog, decodeDeviceState, encodeDeviceState, type GuestMemory } from '../guest/index.js';
import {
  ControlBlock,
  createGuestMemory,
  FIRST_INSTRUCTION_NS,
  GuestControl,
  openDirtyLog,
  PARKED,
  RUNNING,
  STATE,
} from '../guest/memory/index.js';
import { type Doorbell, dropPages, nowNs } from '../sys/index.js';
import type { MovingGuest } from './moving-guest.js';
import { PageTable } from './page-table.js';

/** As few as show everything: most of what a rehearsed move takes is spent on its pages. */
const PAGES = 64;
/** A guest has no fewer. */
const PAGES_MADE = 256;
/** Pages written between two harvests: more than a pause carries, so that some are missing. */
const WRITES = 18;
const MAC = Uint8Array.of(2, 0x4c, 0x48, 0xff, 0xff, 0xff);

export const SCRATCH_ADDRESSES = { mac: 0x024c48ffffff, ip: 0x0a50fffe } as const;

/** Steers a guest that has no thread: it obeys at once. */
class ScratchControl extends GuestControl {
  override pause(): void {
    super.pause();
    Atomics.store(this.block.words, STATE, PARKED);
  }

  override resume(): void {
    super.resume();
    this.block.figures[FIRST_INSTRUCTION_NS] = nowNs();
    Atomics.store(this.block.words, STATE, RUNNING);
  }
}

export class ScratchGuest implements MovingGuest {
  readonly memory: GuestMemory = firstPages(createGuestMemory(PAGES_MADE));
  readonly control: GuestControl;
  readonly dirtyLog: DirtyLog;
  readonly shape = '';
  readonly table = new PageTable(this.memory);
  #turn = 1;

  constructor(bell: Doorbell) {
    this.control = new ScratchControl(new ControlBlock(), bell);
    const { log } = openDirtyLog(this.memory, 'auto');
    this.dirtyLog = {
      kind: log.kind,
      start: () => log.start(),
      harvest: (into) => {
        this.#write();
        return log.harvest(into);
      },
      stop: () => log.stop(),
      close: () => log.close(),
    };
  }

  saveState(): Uint8Array {
    return encodeDeviceState({ mac: MAC, ip: SCRATCH_ADDRESSES.ip, ranNs: this.control.ranNs });
  }

  loadState(bytes: Uint8Array): void {
    const decoded = decodeDeviceState(bytes);
    if (decoded.ok) this.control.ranNs = decoded.state.ranNs;
  }

  drop(): void {
    dropPages(this.memory.address, PAGES * PAGE_SIZE, this.memory.dropAdvice);
  }

  #write(): void {
    const turn = this.#turn++;
    for (let i = 0; i < WRITES; i++) this.memory.bytes[((turn * 7 + i * i) % PAGES) * PAGE_SIZE + i] = turn;
  }
}

function firstPages(memory: GuestMemory): GuestMemory {
  return { ...memory, pages: PAGES, bytes: memory.bytes.subarray(0, PAGES * PAGE_SIZE) };
}
