/** What a move needs of a guest. */
import type { DirtyLog, GuestMemory } from '../guest/index.js';
import type { GuestControl } from '../guest/memory/index.js';

export interface MovingGuest {
  readonly memory: GuestMemory;
  readonly dirtyLog: DirtyLog;
  readonly control: GuestControl;
  /** Which guests its state goes to; empty where any of as much memory will do. */
  readonly shape: string;
  /** All that is not memory. Of a guest that stands. */
  saveState(): Uint8Array;
  /** @throws LonghaulError when the state is not right */
  loadState(bytes: Uint8Array): void;
}

/** A guest as its host's endpoint has it, whatever its kind. */
export interface HostedGuest extends MovingGuest {
  /** Which dirty log it has and why, one line. */
  readonly dirtyLogWhy: string;
  /** Lets the guest run and waits until it has made its first step. @throws LonghaulError `GUEST_STOPPED` */
  resume(timeoutMs?: number): void;
  /** Plays once what `loadState` does; of a guest for which that is much. */
  rehearseLoad?(): void;
  /** Ends the guest's thread and gives back what it held. */
  close(): Promise<void>;
}
