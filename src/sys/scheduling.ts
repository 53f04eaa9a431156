/**
 * How soon a thread that wakes gets a processor from one that computes.
 *
 * Under EEVDF (Linux 6.12 on) whoever asks for short turns is let in early, and pays for it with short turns.
 * sched_setattr(2), setpriority(2), Documentation/scheduler/sched-eevdf.rst
 *
 *   sched_attr   0 size u32 │ 4 policy u32 │ 8 flags u64 │ 16 nice s32 │ 20 priority u32 │ 24 runtime u64 │ 32 …
 *
 * The real-time class (sched(7)) is for a thread that sleeps more than it runs: one that is busy for a second starves
 * its processor's other threads, and is itself held up for 50 ms (sched_rt_runtime_us).
 */
import { libc } from './libc.js';
import { NativeStruct } from './native-struct.js';

const SYS_SCHED_SETATTR = process.arch === 'arm64' ? 274 : 314;
const SCHED_ATTR_BYTES = 48;
const SIZE_AT = 0;
const POLICY_AT = 4;
const NICE_AT = 16;
const PRIORITY_AT = 20;
const RUNTIME_AT = 24;
const PRIO_PROCESS = 0;
const SCHED_OTHER = 0;
const SCHED_FIFO = 1;
const SCHED_IDLE = 5;
/** The lowest of the real-time class: below the kernel's own threads, above all that is not of it. */
const LOWEST_PRIORITY = 1;
/** The shortest turn that the kernel grants. */
const SHORTEST_TURN_NS = 100_000;
/** As long as the kernel thinks right. */
const KERNELS_TURN = 0;
const PROMPT_NICE = -10;
const attr = new NativeStruct(SCHED_ATTR_BYTES);
attr.view.setUint32(SIZE_AT, SCHED_ATTR_BYTES, true);

/**
 * For a thread that stands for something with a processor of its own (a fiber, a virtual CPU, a client elsewhere), or
 * for which everything else waits. It is let in as soon as it wakes, whatever computes at that moment. Short turns need
 * no privilege, weight takes CAP_SYS_NICE; where either is refused nothing is lost but time.
 * @param thread of this process, by the kernel's number; 0 is the calling one, here and below
 */
export function actPromptly(thread = 0): void {
  const weighty = libc.setpriority(PRIO_PROCESS, thread, PROMPT_NICE) === 0;
  const nice = weighty ? PROMPT_NICE : libc.getpriority(PRIO_PROCESS, thread);
  setAttr(thread, SCHED_OTHER, nice, 0, SHORTEST_TURN_NS);
}

/** Takes `actPromptly`, `actInRealTime` and `actWhenIdle` back. */
export function actAtEase(thread = 0): void {
  const nice = Math.max(0, libc.getpriority(PRIO_PROCESS, thread));
  setAttr(thread, SCHED_OTHER, nice, 0, KERNELS_TURN);
}

/**
 * Puts a thread ahead of everything that is not of the real-time class: it runs the moment it wakes, and is not
 * interrupted by whom it wakes itself. `actPromptly` and `actAtEase` take it back.
 * @param priority within the class, 1…99; the higher one goes first
 * @returns false where the system refuses it (CAP_SYS_NICE or RLIMIT_RTPRIO), and nothing has changed
 */
export function actInRealTime(thread = 0, priority = LOWEST_PRIORITY): boolean {
  return setAttr(thread, SCHED_FIFO, 0, priority, 0);
}

/**
 * Lets a thread run only where a processor has nothing else to do, and be interrupted at once. Without privilege there may
 * be no way back. @returns false where the system refuses it, and nothing has changed
 */
export function actWhenIdle(thread = 0): boolean {
  return setAttr(thread, SCHED_IDLE, 0, 0, KERNELS_TURN);
}

/** The kernel's number of the calling thread. gettid(2) */
export function threadNumber(): number {
  return libc.gettid();
}

/** The call sets the nice value anew. */
function setAttr(thread: number, policy: number, nice: number, priority: number, turnNs: number): boolean {
  attr.view.setUint32(POLICY_AT, policy, true);
  attr.view.setInt32(NICE_AT, nice, true);
  attr.view.setUint32(PRIORITY_AT, priority, true);
  attr.view.setUint32(RUNTIME_AT, turnNs, true);
  return libc.syscall5(SYS_SCHED_SETATTR, thread, attr.address, 0, 0, 0) === 0;
}
