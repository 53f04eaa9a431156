/**
 * What a running experiment tells whoever watches it. Events in the past or present tense of the
 * run, in order; they steer nothing. The command line turns them into a progress bar or plain lines;
 * a library user may ignore them: all that lasts is in the result.
 */
import type { RecordingOptions } from '../fabric/index.js';
import type { Costs } from './calibration/costs-file.js';
import type { Experiment, Site } from './config/experiment.js';
import type { MigrationResult, RttResult, RunResult } from './result.js';

/** Where a migration is. `probe` and `setup` come before the first one (migration 0). */
export type Phase = 'setup' | 'probe' | 'offer' | 'pre-copy' | 'switchover' | 'verify' | 'done';

/** A site left standing by `--keep`, and how to enter it. */
export interface KeptSite {
  readonly site: Site;
  /** What `ip netns` or `nsenter --net=` takes: `/proc/4242/ns/net`. */
  readonly namespace: string;
  /** An address in it that the other site reaches. */
  readonly ip: string;
  /** A command to type, such as `nsenter --net=/proc/4242/ns/net ping 10.80.0.2`. */
  readonly example: string;
}

export type RunEvent =
  | { readonly type: 'attach'; readonly attach: 'netns' | 'loopback' | 'sim'; readonly why: string }
  | { readonly type: 'note'; readonly text: string }
  | {
      readonly type: 'phase';
      readonly migration: number;
      readonly phase: Phase;
      readonly from: Site;
      readonly to: Site;
    }
  | { readonly type: 'rtt'; readonly rtt: RttResult }
  /** At most a few tens a second, while a round is sent. */
  | {
      readonly type: 'pages';
      readonly migration: number;
      readonly round: number;
      readonly pagesSent: number;
      readonly pagesTotal: number;
      readonly rateBps: number;
    }
  | {
      readonly type: 'round';
      readonly migration: number;
      readonly round: number;
      readonly pagesSent: number;
      readonly pagesTotal: number;
      readonly bytes: number;
      readonly throughputBps: number;
      /** The policy's prediction were the guest paused now. */
      readonly predictedPauseNs: number;
      /** Until the switchover; `Infinity` when the rounds do not converge. */
      readonly etaNs: number;
      /** 0..1: how well the last prediction was met; null where none was made. */
      readonly confidence: number | null;
      /** What the policy decided and why; null for the round before the pause. */
      readonly verdict: string | null;
    }
  | {
      readonly type: 'migration';
      readonly migration: number;
      readonly of: number;
      readonly result: MigrationResult;
    }
  /** `--keep`: the moves are done and the sites stand until the run's signal is aborted. */
  | { readonly type: 'kept'; readonly sites: readonly KeptSite[]; readonly result: RunResult }
  /** Nobody knows where the guest may run; the run waits for the answer, or for an operator's word. */
  | { readonly type: 'in-doubt'; readonly migration: number; readonly text: string }
  | { readonly type: 'clean-up' };

export interface RunHooks {
  /** Called in order on the caller's thread; must not throw. */
  onEvent(event: RunEvent): void;
  /** What to record of the whole run, and where; left out, nothing. */
  readonly capture?: RecordingOptions | undefined;
  /** What simulated hosts take for their steps; left out, the figures that are built in. */
  readonly costs?: Costs | undefined;
  /** Aborted by Ctrl-C: the run removes everything it made and rejects with the signal's reason. */
  readonly signal: AbortSignal;
}

/** `src/lab/run.ts`: runs the experiment, cleans up after itself whatever happens. */
export type RunExperiment = (experiment: Experiment, hooks: RunHooks) => Promise<RunResult>;
