export {
  ControlBlock,
  FIRST_INSTRUCTION_NS,
  GuestControl,
  type NicFigures,
  PARKED,
  RUNNING,
  STARTING,
  STATE,
  STOPPED,
} from './guest-control.js';
export { type GuestLoopOptions, runGuestLoop } from './guest-loop.js';
export { attachGuestMemory, createFileMemory, createGuestMemory } from './guest-memory.js';
export { MAX_FRAME } from './inject-ring.js';
export { KernelDirtyLog } from './kernel-dirty-log.js';
export { type DirtyLogChoice, type OpenedDirtyLog, openDirtyLog } from './open-dirty-log.js';
export { PageHasher } from './page-hash.js';
export { ScanDirtyLog } from './scan-dirty-log.js';
export {
  type GuestWorkerData,
  guestLoopOptions,
  WorkloadGuest,
  type WorkloadGuestOptions,
} from './workload-guest.js';
