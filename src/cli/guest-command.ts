/** The grammar of `longhaul guest`: machines that a run may move, made ready beforehand. */
import { Argument, type Command } from 'commander';

export interface GuestBuildTyped {
  readonly into?: string;
  readonly json?: boolean;
}

const HELP = `linux  a Debian kernel for 32-bit processors with busybox, an SSH server and an HTTP server, from packages that
       apt-get download fetches: no root, nothing is installed. Some 60 MB are fetched, some 15 MB kept.

A guest without a build of its own (workload, pc) needs none.`;

/** Adds `guest` to the program. @param build what to make, and commander's options */
export function addGuestCommand(
  program: Command,
  build: (what: string, typed: GuestBuildTyped) => Promise<void>,
): void {
  program
    .command('guest')
    .description('Makes guests ready that need more than this package.')
    .helpCommand(false)
    .command('build')
    .description('Builds the image of a guest.')
    .addArgument(new Argument('<guest>', 'what to build').choices(['linux']))
    .allowExcessArguments(false)
    .addHelpText('after', `\n${HELP}`)
    .option('--into <dir>', 'where it goes (default: longhaul/linux in $XDG_CACHE_HOME or ~/.cache)')
    .option('--json', 'print JSON')
    .action((what: string, typed: GuestBuildTyped) => build(what, typed));
}
