/** Who used the processors while a run was measured, in words. */
import type { RunResult } from '../lab/result.js';

export type Processors = NonNullable<RunResult['processors']>;

/** `this run 1.2 of 2, others 0.3, stolen 0.0` */
export function processorWords({ spanNs, cores, ownNs, othersNs, stolenNs }: Processors): string {
  const share = (ns: number): string => (spanNs === 0 ? 0 : ns / spanNs).toFixed(1);
  return `this run ${share(ownNs)} of ${cores}, others ${share(othersNs)}, stolen ${share(stolenNs)}`;
}

/** The part of all processors that was not this run's to have. */
export function otherUse({ spanNs, cores, othersNs, stolenNs }: Processors): number {
  return spanNs === 0 ? 0 : (othersNs + stolenNs) / (spanNs * cores);
}

/** From this part on figures are those of a machine in other use: the kernel's own work alone stays below it. */
export const OTHER_USE_NOTED = 0.1;
