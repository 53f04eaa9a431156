/** The grammar of `longhaul tune`. */
import type { Command } from 'commander';
import { addOptionsAbout } from './options.js';

export interface TuneTyped {
  readonly objective: string;
  readonly budget: string;
  readonly out: string;
  readonly costs?: string;
  readonly allProfiles?: boolean;
  readonly json?: boolean;
  readonly [option: string]: unknown;
}

export interface TuneCommands {
  tune(typed: TuneTyped): Promise<number>;
}

const HELP = `Searches mode, streams, congestion control, pause target, rounds and rate in virtual time, and transport, parity,
compression, deltas and dedup on real hosts; then verifies the best three and the default in turn. Into DIR go:
  tuned.yaml     what longhaul run takes        tune.html   Pareto plot, sensitivity, verification
  tune.json      all of it for programs         trail.ndjson, cells/   every evaluation, every measured run
Interrupted, the same command goes on where it was.

  longhaul calibrate --out costs.json           measures what this machine's hosts take, for --costs
  longhaul tune --profile wan-100ms --loss 0.1% --objective pause=2,total=1 --costs costs.json`;

/** Adds `tune` to the program. @param settle takes the promised exit code */
export function addTuneCommand(
  program: Command,
  commands: TuneCommands,
  settle: (code: Promise<number>) => Promise<void>,
): void {
  const tune = program
    .command('tune')
    .description('Finds the settings that suit a fiber, and verifies that their gain is no noise.')
    .allowExcessArguments(false)
    .option('--objective <what>', 'pause, total, bytes, gap, or weights: pause=2,total=1', 'pause')
    .option('--budget <time>', 'how long it may take', '10min')
    .option('--out <dir>', 'where everything goes', 'results/tune')
    .option('--costs <file>', 'costs of simulated hosts, from longhaul calibrate (default: built in)')
    .option(
      '--all-profiles',
      'every named fiber, each with this budget; a table of them in DIR/recommended.md',
    )
    .option('--json', 'print all of it as JSON');
  addOptionsAbout(tune, ['fiber', 'guest', 'seed', 'spin'])
    .addHelpText('after', `\n${HELP}`)
    .action((typed: TuneTyped) => settle(commands.tune(typed)));
}
