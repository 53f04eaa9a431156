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
/** As long as the kernel thinks right. */
const KERNELS_TURN = 0;
const PROMPT_NICE = -10;
const attr = new NativeStruct(SCHED_ATTR_BYTES);
attr.view.setUint32(SIZE_AT, SCHED_ATTR_BYTES, true);

/**
 * For a thread that stands for something with a processor of its own (a fiber, a virtual CPU, a client elsewhere), or
 * for which everything else waits. It is let in as soon as it wakes, whatever computes at that moment. Short turns need
 * no privilege, weight takes CAP_SYS_NICE; where either is refused nothing is lost but time.
 */
export function actPromptly(): void {
  const weighty = libc.setpriority(PRIO_PROCESS, 0, PROMPT_NICE) === 0;
  takeTurns(weighty ? PROMPT_NICE : libc.getpriority(PRIO_PROCESS, 0), SHORTEST_TURN_NS);
}

/** Takes `actPromptly` back. */
export function actAtEase(): void {
  takeTurns(Math.max(0, libc.getpriority(PRIO_PROCESS, 0)), KERNELS_TURN);
}

function takeTurns(nice: number, turnNs: number): void {
  // The policy stays 0, SCHED_OTHER; the call sets the nice value anew.
  attr.view.setInt32(NICE_AT, nice, true);
  attr.view.setUint32(RUNTIME_AT, turnNs, true);
  libc.syscall5(SYS_SCHED_SETATTR, 0, attr.address, 0, 0, 0);
}
