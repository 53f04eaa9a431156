export { type BootedMachine, type BootOptions, bootLinux, type LinuxFiles } from './boot-linux.js';
export { PcGuest, type PcGuestOptions } from './pc-guest.js';
export { type PcLoopOptions, type PcWorkerData, runPcLoop, typedPath } from './pc-loop.js';
export { machineShape, V86Machine } from './v86-machine.js';
