/** The grammar of `longhaul qemu`: QEMU as the migrator, on the same fabric and with the same clients as `run`. */
import type { Command } from 'commander';
import { addCaptureOption } from './capture-options.js';
import { EXIT_CODES_TEXT } from './exit-codes.js';
import { addPeerOptions } from './options.js';

const HELP = `The guest is the metal image of this project, so that both migrators can move the same machine doing the same work.
pauseNs of the result is the time from the source's STOP to the destination's RESUME, as both events were read here.

${EXIT_CODES_TEXT}`;

/** Adds `qemu` to the program. @param migrate takes commander's options */
export function addQemuCommand(
  program: Command,
  migrate: (typed: Readonly<Record<string, unknown>>) => Promise<void>,
): void {
  const command = program
    .command('qemu')
    .description('Lets QEMU do the moving, to compare with.')
    .helpCommand(false)
    .command('migrate')
    .description('Moves a guest between two QEMUs at the two sites, and writes the same result as run.')
    .allowExcessArguments(false)
    .addHelpText('after', `\n${HELP}`);
  addCaptureOption(addPeerOptions(command))
    .option('--mode <mode>', 'precopy, multifd or postcopy (default: precopy)')
    .option('--channels <n>', 'connections that carry pages with multifd, 1..16 (default: 2)')
    .option('--downtime-limit <time>', 'the pause that pre-copy aims at (default: 300ms, as in QEMU)')
    .option('--bandwidth <rate>', "most that it may send (default: unlimited; QEMU's own is 1 Gbit/s)")
    .option('--accel <how>', 'auto, tcg or kvm (default: auto, kvm where it boots the guest)')
    .option('--verify', 'compare both memories before the guest starts there; the pause has that in it')
    .option('--dirty-sync <how>', 'fast or slow: how QEMU is led to look for dirty pages (default: fast)')
    .option('--qemu <program>', 'path or name (default: qemu-system-i386 or -x86_64 in PATH)')
    .option('--json', "print the result's JSON on stdout, all else on stderr")
    .option('--no-progress', 'print no progress')
    .action((typed: Record<string, unknown>) => migrate(typed));
}
