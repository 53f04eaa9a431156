/** The grammar of `longhaul sweep` and `longhaul worker`. */
import type { Command } from 'commander';

export interface SweepTyped {
  readonly store?: string;
  readonly shard?: string;
  readonly workers?: string;
  readonly queue?: string;
  readonly list?: boolean;
  readonly json?: boolean;
}

export interface WorkerTyped {
  readonly queue: string;
}

export interface SweepCommands {
  sweep(file: string, typed: SweepTyped): Promise<number>;
  worker(typed: WorkerTyped): Promise<number>;
}

const SWEEP_HELP = `The same command goes on where it was. Parts that ran elsewhere come together by longhaul results merge:
  Slurm         longhaul sweep plan.yaml --shard $((SLURM_ARRAY_TASK_ID + 1))/$SLURM_ARRAY_TASK_COUNT --store part-$SLURM_ARRAY_TASK_ID
  Kubernetes    --shard $((JOB_COMPLETION_INDEX + 1))/N, an Indexed Job
  GNU parallel  parallel -S host1,host2 longhaul sweep plan.yaml --shard {}/8 --store part-{} ::: 1 2 3 4 5 6 7 8
Measured cells run one at a time; only results of one machine compare.`;

const WORKER_HELP = `Any number, on any machine that reaches the queue, of the sweep's own revision. Started as:
  redis-server --port N --appendonly yes --maxmemory-policy noeviction`;

/** Adds `sweep` and `worker` to the program. @param settle takes the promised exit code */
export function addSweepCommands(
  program: Command,
  commands: SweepCommands,
  settle: (code: Promise<number>) => Promise<void>,
): void {
  program
    .command('sweep')
    .description(
      'Runs every cell of a plan: one experiment, varied along axes. What is done is not done again.',
    )
    .argument('<plan>', 'a YAML file; examples/sweep.yaml shows every key')
    .allowExcessArguments(false)
    .option('--store <dir>', 'where results go (default: results/NAME of the plan)')
    .option('--shard <i/n>', 'only the i-th of n parts')
    .option('--workers <n>', 'processes at once (default: as many as pay)')
    .option('--queue <url>', 'hand the cells to longhaul worker through Redis or Valkey: redis://HOST:PORT')
    .option('--list', 'print the cells and run none')
    .option('--json', 'print how it ended as JSON')
    .addHelpText('after', `\n${SWEEP_HELP}`)
    .action((file: string, typed: SweepTyped) => settle(commands.sweep(file, typed)));
  program
    .command('worker')
    .description('Runs cells of sweeps from a queue, until Ctrl-C.')
    .allowExcessArguments(false)
    .requiredOption('--queue <url>', 'redis://HOST:PORT')
    .addHelpText('after', `\n${WORKER_HELP}`)
    .action((typed: WorkerTyped) => settle(commands.worker(typed)));
}
