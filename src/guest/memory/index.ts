export {
  ControlBlock,
  FIRST_INSTRUCTION_NS,
  FRAMES_INJECTED,
  FRAMES_RECEIVED,
  FRAMES_REFUSED,
  FRAMES_SENT,
  GuestControl,
  type NicFigures,
  PARKED,
  PARKED_AT_NS,
  RAN_NS,
  REHEARSE,
  RUN,
  RUNNING,
  SEND_DROPS,
  STATE,
  STOP,
  STOPPED,
  THREAD,
} from './guest-control.js';
export { type GuestLoopOptions, runGuestLoop } from './guest-loop.js';
export {
  attachGuestMemory,
  createFileMemory,
  createGuestMemory,
  type SharedGuestMemory,
} from './guest-memory.js';
export { MAX_FRAME } from './inject-ring.js';
export { KernelDirtyLog } from './kernel-dirty-log.js';
export { type DirtyLogChoice, type OpenedDirtyLog, openDirtyLog } from './open-dirty-log.js';
export { PageDigester, PageHasher } from './page-hash.js';
export { ScanDirtyLog } from './scan-dirty-log.js';
export { StartLine } from './start-line.js';
export {
  type GuestWorkerData,
  guestLoopOptions,
  WorkloadGuest,
  type WorkloadGuestOptions,
} from './workload-guest.js';
