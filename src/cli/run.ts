/**
 * `longhaul run [EXPERIMENT.yaml]`: describe, check, run, save, say.
 *
 *   stdout   the summary, or with --json the result's JSON and nothing else
 *   stderr   progress, notes, where the result lies, and the one line that says what went wrong
 */

import { ConfigError } from '../core/index.js';
import type { Costs } from '../lab/calibration/costs-file.js';
import type { Experiment } from '../lab/config/experiment.js';
import { parseExperiment, readSource } from '../lab/config/experiment-file.js';
import type { RunResult } from '../lab/result.js';
import type { RunExperiment, RunHooks } from '../lab/run-events.js';
import { failureOf, summarize } from '../report/index.js';
import { captureOf } from './capture-options.js';
import { EXIT_FAILED, EXIT_INTERRUPTED, EXIT_OK } from './exit-codes.js';
import { overridesOf } from './options.js';
import { startProgress } from './progress.js';
import { prepareResultPlace } from './save.js';

/** What the command needs of the process; tests give their own. */
export interface RunContext {
  readonly stdout: NodeJS.WriteStream;
  readonly stderr: NodeJS.WriteStream;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly startedAt: Date;
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal;
  readonly runExperiment: RunExperiment;
}

/** Options of the command line that are no part of the experiment. */
interface TerminalOptions {
  readonly json?: boolean;
  /** commander's form of `--no-progress`. */
  readonly progress?: boolean;
  readonly costs?: string;
}

/** @throws ConfigError CLI_COSTS_REAL for an experiment whose hosts are real; what reading the file throws */
async function costsFor({ attach }: Experiment, path: string | undefined): Promise<Costs | undefined> {
  if (path === undefined) return undefined;
  if (attach !== 'sim')
    throw new ConfigError('CLI_COSTS_REAL', '--costs says what simulated hosts take, and these are real', {
      hint: 'add --attach sim, or leave --costs out',
    });
  return (await import('../lab/calibration/costs-file.js')).readCosts(path);
}

/**
 * @param file the experiment's file, if one was named
 * @param typed commander's options
 * @returns the exit code
 * @throws ConfigError, EnvironmentError, or what the run threw
 */
export async function run(
  file: string | undefined,
  typed: Readonly<Record<string, unknown>>,
  context: RunContext,
): Promise<number> {
  const experiment = parseExperiment(file === undefined ? null : readSource(file), overridesOf(typed));
  const costs = await costsFor(experiment, (typed as TerminalOptions).costs);
  return watchRun(experiment.outDir, typed, context, (hooks) =>
    context.runExperiment(experiment, costs === undefined ? hooks : { ...hooks, costs }),
  );
}

/**
 * Watches a run, saves its result, says what came of it. @param outDir where the result goes; null for a place named by the time
 * @param typed commander's options, of which those of the terminal and of the recording are read here
 * @returns the exit code
 */
export async function watchRun(
  outDir: string | null,
  typed: Readonly<Record<string, unknown>>,
  context: Omit<RunContext, 'runExperiment'>,
  start: (hooks: RunHooks) => Promise<RunResult>,
): Promise<number> {
  const { json = false, progress: wanted = true } = typed as TerminalOptions;
  const { stdout, stderr, signal } = context;
  const capture = captureOf(typed);
  const place = prepareResultPlace(outDir, context.startedAt);
  const progress = startProgress(stderr, { live: stderr.isTTY === true, quiet: !wanted });

  let told = false;
  const tell = (result: RunResult): void => {
    if (told) return; // with --keep the result comes before the sites go
    told = true;
    progress.stop();
    place.save(result);
    stdout.write(
      `${json ? JSON.stringify(result) : summarize(result, { colour: coloured(stdout, context.env) })}\n`,
    );
    stderr.write(`${json ? '' : '\n'}result in ${place.file}\n`);
  };

  try {
    const result = await start({
      signal,
      capture,
      onEvent: (event) => {
        if (event.type === 'kept') tell(event.result);
        progress.onEvent(event);
      },
    });
    tell(result);
    if (signal.aborted) return EXIT_INTERRUPTED;
    const failure = failureOf(result);
    if (failure === null) return EXIT_OK;
    stderr.write(`longhaul: ${failure}\n`);
    return EXIT_FAILED;
  } catch (e) {
    if (!signal.aborted) throw e;
    return EXIT_INTERRUPTED;
  } finally {
    progress.stop();
    if (!told) place.abandon();
    if (signal.aborted) stderr.write('longhaul: interrupted; everything that was made has been removed\n');
  }
}

/** NO_COLOR (no-color.org): any value that is not empty turns colour off. */
export function coloured(stream: NodeJS.WriteStream, env: RunContext['env']): boolean {
  return stream.isTTY === true && !env.NO_COLOR && env.TERM !== 'dumb';
}
