/**
 * What a run needs of whatever stands between its sites: our own hosts (`lab.ts`), or two QEMUs (`qemu/`). The order of
 * things, the clean-up and the result are the run's (`conduct.ts`).
 */
import type { FabricSnapshot } from '../fabric/index.js';
import type { AttachedStation } from './attach.js';
import type { ProbeResult } from './client/protocol.js';
import type { Site } from './config/experiment.js';
import type { MigrationResult, RunResult } from './result.js';

export interface Staged {
  readonly notes: string[];
  readonly dirtyLog: RunResult['machine']['dirtyLog'];
  /** Whether the guest can be moved again. */
  readonly hostsAlive: boolean;
  note(text: string): void;
  /** Makes everything: afterwards the guest is ready to run at site A and the clients are attached, silent. */
  build(): Promise<void>;
  /** Measures the round trip through both bridges and the fiber. */
  probe(): Promise<ProbeResult>;
  /** Lets the guest run and the clients talk to it. */
  startClients(): Promise<void>;
  /** One move of the guest. A host that dies is an outcome, not an exception. @param settleMs clients go on so long after it */
  migrate(index: number, from: Site, to: Site, settleMs: number): Promise<MigrationResult>;
  finishRecording(): Promise<void>;
  snapshot(): Promise<FabricSnapshot>;
  timeline(): RunResult['timeline'];
  /** The two stations of the hosts, site A first. */
  hostStations(): AttachedStation[];
  security(): Promise<RunResult['security']>;
  /** The other migrator; null for our own. */
  peer(): RunResult['peer'];
  memoryPeaks(): Promise<RunResult['memoryPeaks']>;
  /** Ends and removes all that was made. Safe at any moment, also half-way through `build`. */
  tearDown(inDoubt?: boolean): Promise<void>;
}
