/**
 * The process that runs cells and experiments, one after another: `{work}` in, `{made}` after each move and `{outcome}`
 * out. It ends with its parent.
 */
import { isLonghaulError, messageOf } from '../core/index.js';
import { experimentFrom } from '../lab/config/experiment-file.js';
import type { RunResult } from '../lab/result.js';
import { runExperiment } from '../lab/run.js';
import type { RunEvent } from '../lab/run-events.js';
import { simulateExperiment } from '../lab/simulate.js';
import type { CellWord, Work } from './cell-runner.js';
import type { CellOutcome } from './outcome.js';

const end = new AbortController();
process.on('disconnect', () => {
  end.abort();
  process.exitCode = 1;
});
// Ctrl-C reaches the whole group of processes: whoever started this one decides.
process.on('SIGINT', () => {});

process.on('message', async ({ work }: { work: Work }) => {
  const outcome = await outcomeOf(work);
  tell({ outcome });
});

function tell(word: CellWord): void {
  process.send?.(word);
}

async function outcomeOf(work: Work): Promise<CellOutcome> {
  try {
    return { ok: true, result: await resultOf(work) };
  } catch (e) {
    return { ok: false, code: isLonghaulError(e) ? e.code : 'SWEEP_CELL', text: messageOf(e) };
  }
}

function resultOf(work: Work): Promise<RunResult> {
  const hooks = {
    signal: end.signal,
    onEvent: (event: RunEvent): void => {
      if (event.type === 'migration') tell({ made: event.migration + 1 });
    },
  };
  if ('input' in work) return runExperiment(experimentFrom(work.input), hooks);
  const { experiment, costs } = work;
  return experiment.attach === 'sim'
    ? simulateExperiment(experiment, { costs, ...hooks })
    : runExperiment(experiment, hooks);
}
