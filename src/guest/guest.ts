/**
 * What a guest is to the rest of the house: memory, a log of the pages it writes, and a network stack.
 *
 *     NIC ──frame──► NetStack ──UDP payload──► Service ─┐
 *                        ▲                              ├─ read and write ─► GuestMemory ─► DirtyLog
 *                        └────────── answer ────────────┘                        ▲
 *     tick ──────────────────────────────────────────► DirtyModel ───────────────┘
 *
 * All state that a guest needs to go on lives in its memory (layout.ts), save the small device state.
 */
import type { Frame, PageSet } from '../core/index.js';

/** Guest memory: `pages` pages of 4096 bytes, page-aligned, at an address that never changes. */
export interface GuestMemory {
  readonly pages: number;
  /** All of it: page `pfn` begins at byte `pfn * 4096`. */
  readonly bytes: Uint8Array;
  /** Where `bytes` begins in this process. */
  readonly address: number;
  /** madvise(2) advice that gives its pages back to the kernel: they read as zeros afterwards. */
  readonly dropAdvice: number;
  /**
   * The shared WebAssembly.Memory that these bytes are of, in the thread that made it, from address 0 on: pages are
   * hashed where they lie. Absent: each is copied first.
   */
  readonly shared?: { readonly buffer: SharedArrayBuffer };
}

/**
 * Finds the pages that were written. Between `start` and `stop`, the union of all harvests covers every page
 * whose content changed since `start`, whatever writes while a harvest runs.
 */
export interface DirtyLog {
  readonly kind: 'kernel' | 'scan';
  /** Begins: from now on writes are seen; nothing is dirty yet. */
  start(): void;
  /**
   * Adds the pages written since the last harvest (or since `start`) to `into`, and forgets them.
   * @returns how many pages this harvest found, whether `into` held them before or not
   */
  harvest(into: PageSet): number;
  /** Ends; `start` may follow. */
  stop(): void;
  /** Gives back what the log holds of the system. It is of no use afterwards. */
  close(): void;
}

/**
 * Takes a UDP payload that arrived for `toPort` and writes the answer to the beginning of `response`.
 * @returns bytes of the answer; 0 sends none
 */
export type UdpHandler = (
  toPort: number,
  data: Uint8Array,
  start: number,
  length: number,
  response: Uint8Array,
) => number;

/** The guest's ARP, ICMP and UDP. Pure: it is given frames and hands out frames. */
export interface NetStack {
  /**
   * Takes one frame. The frame and its bytes are reused after the call returns; so are those given to `send`.
   * @param send takes a frame that leaves by the NIC
   * @param onUdp answers datagrams to the guest's address
   */
  receive(nowNs: number, frame: Frame, send: (frame: Frame) => void, onUdp: UdpHandler): void;
}

/** Where a frame came from: the wire, or the host that kept it while the guest was moving. */
export type FrameOrigin = 'nic' | 'injected';
