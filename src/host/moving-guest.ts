/** What a move needs of a guest. */
import type { DirtyLog, GuestMemory } from '../guest/index.js';
import type { GuestControl } from '../guest/memory/index.js';

export interface MovingGuest {
  readonly memory: GuestMemory;
  readonly dirtyLog: DirtyLog;
  readonly control: GuestControl;
  /** All that is not memory. Of a guest that stands. */
  saveState(): Uint8Array;
  /** @throws LonghaulError when the state is not right */
  loadState(bytes: Uint8Array): void;
}
