/**
 * `TIME@PHASE`, how a person says that the fiber is cut in the middle of a move: `5s@precopy`.
 *
 *   precopy      when a third of the first round has been sent
 *   switchover   when the last round before the pause begins
 *   postcopy     when the guest runs at the destination and lacks pages
 */
import { ConfigError, parseDuration } from '../../core/index.js';
import { CUT_PHASES } from './experiment.js';

export interface Cut {
  readonly phase: (typeof CUT_PHASES)[number];
  readonly durationNs: number;
}

export type CutErrorCode = 'LAB_CUT';

const RANGE = { min: 1_000_000, max: 600_000_000_000, text: '1ms..10min' };

/**
 * @param option the name the user knows it by
 * @throws ConfigError `LAB_CUT`, or what is wrong with the time
 */
export function parseCut(text: string | number, option: string): Cut {
  const [time = '', word, ...rest] = String(text).trim().split('@');
  const phase = CUT_PHASES.find((p) => p === word);
  if (phase === undefined || rest.length > 0) {
    throw new ConfigError<CutErrorCode>(
      'LAB_CUT',
      `${option} ${JSON.stringify(text)} is not TIME@PHASE, where PHASE is one of ${CUT_PHASES.join(', ')}`,
      { hint: 'write it like 5s@precopy' },
    );
  }
  return { phase, durationNs: parseDuration(time, option, RANGE) };
}
