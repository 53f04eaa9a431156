/**
 * Runs an experiment from end to end, and removes what it made whatever happens.
 *
 *   choose attach ─► fabric ─► stations ─► hosts, guest ─► clients ─► RTT probe
 *                                                            │
 *        result ◄─ accounts ◄─ verify ◄─ move, A→B, B→A … ◄──┘
 */
import { readImage } from '../host/index.js';
import { chooseAttach } from './attach.js';
import { conduct } from './conduct.js';
import type { Experiment } from './config/experiment.js';
import { imageOf } from './guest-orders.js';
import { Lab } from './lab.js';
import { linuxState } from './linux-state.js';
import { checkMode } from './mode-choice.js';
import type { RunResult } from './result.js';
import type { RunHooks } from './run-events.js';
import { simulateExperiment } from './simulate.js';
import { transportOrders } from './transport-choice.js';

/**
 * @throws ConfigError, EnvironmentError before anything was made; the signal's reason when it was aborted;
 * LonghaulError LAB_… when the experiment itself cannot go on
 */
export async function runExperiment(experiment: Experiment, hooks: RunHooks): Promise<RunResult> {
  if (experiment.attach === 'sim') return simulateExperiment(experiment, hooks);
  if (experiment.guest.kind === 'pc')
    await readImage(imageOf(experiment.guest), experiment.guest.memoryBytes);
  const linux =
    experiment.guest.kind === 'linux'
      ? await linuxState(experiment.guest, (text) => hooks.onEvent({ type: 'note', text }))
      : null;
  const chosen = chooseAttach(experiment.attach, experiment.superFrameBytes);
  const modeNote = checkMode(experiment.migration.mode);
  const transport = transportOrders(experiment.migration, chosen.kind);
  return conduct(experiment, chosen, hooks, (dir, epochNs) => {
    const lab = new Lab(experiment, chosen, transport, dir, epochNs, hooks, linux);
    if (modeNote !== null) lab.note(modeNote);
    return lab;
  });
}
