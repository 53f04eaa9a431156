/**
 * How soon a thread that wakes gets a processor from one that computes.
 *
 * Under EEVDF (Linux 6.12 on) whoever asks for short turns is let in early, and pays for it with short turns.
 * sched_setattr(2), setpriority(2), Documentation/scheduler/sched-eevdf.rst
 *
 *   sched_attr   0 size u32 │ 4 policy u32 │ 8 flags u64 │ 16 nice s32 │ 20 priority u32 │ 24 runtime u64 │ 32 …
 *
 * Left out on purpose: the real-time classes. A thread of theirs that is busy for a second is throttled for 50 ms.
 */
import { libc } from './libc.js';
import { NativeStruct } from './native-struct.js';

const SYS_SCHED_SETATTR = process.arch === 'arm64' ? 274 : 314;
const SCHED_ATTR_BYTES = 48;
const SIZE_AT = 0;
const NICE_AT = 16;
const RUNTIME_AT = 24;
const PRIO_PROCESS = 0;
/** The shortest turn that the kernel grants. */
const SHORTEST_TURN_NS = 100_000;
const PROMPT_NICE = -10;

/** Changes the calling thread's weight; to raise it takes CAP_SYS_NICE. @param nice -20 (most) … 19 @returns whether it took effect */
export function setThreadNice(nice: number): boolean {
  return libc.setpriority(PRIO_PROCESS, 0, nice) === 0;
}

/**
 * For a thread that stands for something with a processor of its own: a fiber, a virtual CPU, a client elsewhere.
 * It is let in as soon as it wakes, whatever computes at that moment. Short turns need no privilege, weight does;
 * where either is refused nothing is lost but time.
 */
export function actPromptly(): void {
  const weighty = setThreadNice(PROMPT_NICE);
  const attr = new NativeStruct(SCHED_ATTR_BYTES);
  attr.view.setUint32(SIZE_AT, SCHED_ATTR_BYTES, true);
  // The policy stays 0, SCHED_OTHER; the call sets the nice value anew.
  attr.view.setInt32(NICE_AT, weighty ? PROMPT_NICE : libc.getpriority(PRIO_PROCESS, 0), true);
  attr.view.setUint32(RUNTIME_AT, SHORTEST_TURN_NS, true);
  libc.syscall5(SYS_SCHED_SETATTR, 0, attr.address, 0, 0, 0);
}
