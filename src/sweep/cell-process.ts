/** The process that runs cells, one after another: `{cell}` in, `{outcome}` out. It ends with its parent. */
import { isLonghaulError, messageOf } from '../core/index.js';
import { experimentFrom } from '../lab/config/experiment-file.js';
import { runExperiment } from '../lab/run.js';
import type { CellOutcome } from './outcome.js';
import type { Cell } from './plan.js';

const end = new AbortController();
process.on('disconnect', () => {
  end.abort();
  process.exitCode = 1;
});
// Ctrl-C reaches the whole group of processes: whoever started this one decides.
process.on('SIGINT', () => {});

process.on('message', async ({ cell }: { cell: Cell }) => {
  const outcome = await outcomeOf(cell);
  process.send?.({ outcome });
});

async function outcomeOf({ input }: Cell): Promise<CellOutcome> {
  try {
    const experiment = experimentFrom(input);
    return { ok: true, result: await runExperiment(experiment, { signal: end.signal, onEvent: () => {} }) };
  } catch (e) {
    return { ok: false, code: isLonghaulError(e) ? e.code : 'SWEEP_CELL', text: messageOf(e) };
  }
}
