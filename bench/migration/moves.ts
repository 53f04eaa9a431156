/**
 * Moves of a guest, made and checked: what every measure of this bench is given.
 *
 * A move whose memory differs or whose clients missed an answer has no figure worth quoting, so it ends the bench.
 */
import { experimentFrom } from '../../src/lab/config/experiment-file.js';
import type { ExperimentInput } from '../../src/lab/config/experiment-keys.js';
import type { MigrationResult, RunResult } from '../../src/lab/result.js';
import { runExperiment } from '../../src/lab/run.js';
import type { RunEvent } from '../../src/lab/run-events.js';

/** The fiber's two ends hang as `longhaul run` hangs them; a bench of kernel TCP needs namespaces. */
const ATTACH = 'netns';

export interface Moves {
  readonly result: RunResult;
  readonly migrations: readonly MigrationResult[];
}

/**
 * Runs an experiment with the keys of its YAML file.
 * @throws Error naming the first move that did not complete, whose memory differed, or whose ledgers are not exact
 */
export async function makeMoves(
  input: ExperimentInput,
  onEvent: (event: RunEvent) => void = () => {},
): Promise<Moves> {
  const experiment = experimentFrom({ attach: ATTACH, ...input });
  const result = await runExperiment(experiment, { signal: new AbortController().signal, onEvent });
  for (const m of result.migrations) refuse(m);
  if (result.migrations.length !== experiment.migration.repeat)
    throw new Error(`${result.migrations.length} of ${experiment.migration.repeat} moves were made`);
  return { result, migrations: result.migrations };
}

/** @throws Error when the move has no figure worth quoting */
export function refuse(m: MigrationResult): void {
  const move = `move ${m.index} from ${m.from} to ${m.to}`;
  if (m.outcome !== 'completed')
    throw new Error(`${move}: ${m.outcome}, ${m.reason?.text ?? 'no reason given'}`);
  if (m.memoryIdentical !== true) throw new Error(`${move}: memory differs`);
  for (const c of m.clients) {
    if (c.lost + c.wrong + c.duplicated + c.resets > 0)
      throw new Error(
        `${move}: ${c.kind} client at ${c.site} lost ${c.lost}, wrong ${c.wrong}, again ${c.duplicated}`,
      );
  }
}
