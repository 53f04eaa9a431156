/** Who used the processors while a run was measured: a figure from a busy machine says so. */
import { availableParallelism } from 'node:os';
import { nowNs, processFamilyNs, processorTime } from '../sys/index.js';
import type { RunResult } from './result.js';

/** Begins to count. @returns what ends it, and says what it came to */
export function watchProcessors(): () => NonNullable<RunResult['processors']> {
  const sinceNs = nowNs();
  const before = processorTime();
  const ownBeforeNs = processFamilyNs(process.pid);
  return () => {
    const after = processorTime();
    const ownNs = processFamilyNs(process.pid) - ownBeforeNs;
    const busyNs = after.busyNs - before.busyNs;
    return {
      spanNs: nowNs() - sinceNs,
      cores: availableParallelism(),
      ownNs,
      // The two are counted in ticks, each on its own: a little below 0 means none.
      othersNs: Math.max(0, busyNs - ownNs),
      stolenNs: after.stolenNs - before.stolenNs,
    };
  };
}
