/**
 * A process that becomes QEMU: asks the kernel to end it with the one that started it, hands on the descriptors, and
 * is replaced. What it asked for outlives the replacement, so SIGKILL of the parent leaves no QEMU behind.
 *
 *   node launcher.js PARENT-PID QEMU ARGUMENT…
 */
import { dieWithParent, replaceProcess } from '../sys/index.js';
import { NIC_FD, QMP_FD, SERIAL_FD } from './command-line.js';

const [parent, program, ...words] = process.argv.slice(2);
dieWithParent();
// A parent that ended before the line above is not noticed by the kernel any more.
if (process.ppid !== Number(parent)) process.exit(1);
replaceProcess(program!, [program!, ...words], [QMP_FD, SERIAL_FD, NIC_FD]);
