/** The fabric of an experiment: its fiber, what is recorded of it, and who is told of what goes wrong there. */
import { Fabric } from '../fabric/index.js';
import { fiberWarnings } from '../fiber/index.js';
import type { Experiment } from './config/experiment.js';
import { fiberSettingsOf, fiberTimelineOf } from './config/resolve-experiment.js';
import type { RunHooks } from './run-events.js';

export interface FabricListener {
  /** Something happened there, in the past tense. */
  happened(what: string): void;
  /** Something that a reader of the result should know. */
  note(text: string): void;
}

/** Starts it, without a port; the caller stops it, also when the recording is refused. */
export function openFabric(experiment: Experiment, { happened, note }: FabricListener): Fabric {
  const settings = fiberSettingsOf(experiment);
  for (const warning of fiberWarnings(settings)) note(warning);
  return new Fabric({
    fiber: settings,
    timeline: fiberTimelineOf(experiment),
    qos: experiment.migration.qos,
    spin: experiment.spin,
    seed: `${experiment.seed}/fiber`,
    onPortGone: (name) => happened(`port ${name} is gone`),
    onFailure: (e) => note(`the fabric failed: ${e.message}`),
  });
}

/** Records the run, where that was asked for. @param title of the recording @throws ConfigError CAPTURE_… */
export async function recordRun(
  fabric: Fabric,
  experiment: Experiment,
  { capture }: Pick<RunHooks, 'capture'>,
  title: string,
  note: (text: string) => void,
): Promise<void> {
  if (capture === undefined) return;
  const comments = [`${title}, seed ${experiment.seed}`, JSON.stringify(experiment)];
  await fabric.record({ ...capture, comments }, (text) => note(`the recording ended early: ${text}`));
}
