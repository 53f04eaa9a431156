/**
 * Which modes this machine can run: a guest that starts with pages missing needs userfaultfd. Found by trying, before
 * anything is made.
 */
import { EnvironmentError } from '../core/index.js';
import { canCatchFaults } from '../host/index.js';
import type { Experiment } from './config/experiment.js';

/**
 * @returns a note for the result where another mode is used than was asked for, else null
 * @throws EnvironmentError LAB_NO_POSTCOPY when post-copy was asked for and cannot be had
 */
export function checkMode(
  mode: Experiment['migration']['mode'],
  catchesFaults = canCatchFaults(),
): string | null {
  if (mode === 'precopy' || catchesFaults) return null;
  if (mode === 'hybrid') return 'this machine has no userfaultfd: hybrid becomes pre-copy';
  throw new EnvironmentError('LAB_NO_POSTCOPY', 'post-copy needs userfaultfd, which this machine lacks', {
    hint: 'use --mode hybrid, which becomes pre-copy here, or a kernel with CONFIG_USERFAULTFD',
  });
}
