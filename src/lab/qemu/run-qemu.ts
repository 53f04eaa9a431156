/** `longhaul qemu migrate`: a run whose moves QEMU makes. */
import { readImage } from '../../host/index.js';
import { findQemu } from '../../qemu/index.js';
import { chooseAttach } from '../attach.js';
import { conduct } from '../conduct.js';
import type { RunResult } from '../result.js';
import type { RunHooks } from '../run-events.js';
import type { QemuPlan } from './plan.js';
import { QemuLab, refuseLoopback } from './qemu-lab.js';

/**
 * @throws ConfigError, EnvironmentError before anything was made; the signal's reason when it was aborted;
 * LonghaulError when the experiment itself cannot go on
 */
export async function runQemu(plan: QemuPlan, hooks: RunHooks): Promise<RunResult> {
  const { experiment } = plan;
  const { guest } = experiment;
  await readImage(plan.image, guest.memoryBytes);
  const program = await findQemu(plan.program);
  const chosen = chooseAttach('netns', experiment.superFrameBytes);
  refuseLoopback(chosen);
  return conduct(
    experiment,
    chosen,
    hooks,
    (dir, epochNs) => new QemuLab(plan, program, chosen, dir, epochNs, hooks),
  );
}
