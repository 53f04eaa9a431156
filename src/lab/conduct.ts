/**
 * Runs a staged experiment from end to end, and removes what it made whatever happens.
 *
 *   build ─► RTT probe ─► guest, clients ─► move, A→B, B→A … ─► accounts ─► result
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { LonghaulError } from '../core/index.js';
import { queueOverrun } from '../fiber/index.js';
import { nowNs } from '../sys/index.js';
import type { ChosenAttach } from './attach.js';
import type { Experiment, Site } from './config/experiment.js';
import { KeptSites } from './kept-sites.js';
import { describeMachine, revision } from './machine.js';
import { watchProcessors } from './processor-use.js';
import { type MigrationResult, RESULT_VERSION, type RunResult } from './result.js';
import { fabricResult, rttResult } from './result-parts.js';
import type { RunHooks } from './run-events.js';
import type { Staged } from './staged.js';

/** Clients go on this long after a move, so that what it did to them shows in its account. */
const SETTLE_MS = 500;
const REMEDY = 'longhaul host list shows them, longhaul host resolve guest --discard closes them';

/**
 * @param stage makes what stands between the sites, in a directory of the run's own
 * @throws the signal's reason when it was aborted; LonghaulError when the experiment itself cannot go on
 */
export async function conduct(
  experiment: Experiment,
  chosen: ChosenAttach,
  hooks: RunHooks,
  stage: (dir: string, epochNs: number) => Staged,
): Promise<RunResult> {
  const { signal, onEvent } = hooks;
  const startedAt = new Date();
  const epochNs = nowNs();
  onEvent({ type: 'attach', attach: chosen.kind, why: chosen.why });
  const dir = mkdtempSync(join(tmpdir(), 'longhaul-'));
  const lab = stage(dir, epochNs);
  // Many runs may share a signal: what listens to it goes with the run.
  const over = new AbortController();
  const aborted = new Promise<never>((_, reject) => {
    const stop = (): void =>
      reject(signal.reason ?? new LonghaulError('LAB_INTERRUPTED', 'the run was interrupted'));
    if (signal.aborted) stop();
    signal.addEventListener('abort', stop, { once: true, signal: over.signal });
  });
  aborted.catch(() => {});
  const orAbort = <T>(work: Promise<T>): Promise<T> => Promise.race([work, aborted]);
  let kept: KeptSites | null = null;
  let inDoubt = false;
  try {
    onEvent({ type: 'phase', migration: 0, phase: 'setup', from: 'a', to: 'b' });
    await orAbort(lab.build());
    onEvent({ type: 'phase', migration: 0, phase: 'probe', from: 'a', to: 'b' });
    const rtt = rttResult(await orAbort(lab.probe()));
    if (rtt !== null) onEvent({ type: 'rtt', rtt });
    await orAbort(lab.startClients());
    await orAbort(sleep(experiment.migration.startAfterNs / 1e6));
    const migrations: MigrationResult[] = [];
    const usedMeanwhile = watchProcessors();
    let at: Site = 'a';
    for (let index = 0; index < experiment.migration.repeat; index++) {
      const to: Site = at === 'a' ? 'b' : 'a';
      const result: MigrationResult = await orAbort(lab.migrate(index, at, to, SETTLE_MS));
      migrations.push(result);
      inDoubt = result.outcome === 'in-doubt';
      onEvent({ type: 'migration', migration: index, of: experiment.migration.repeat, result });
      if (result.guestAt === null || !lab.hostsAlive) break;
      at = result.guestAt;
      if (index + 1 < experiment.migration.repeat) await orAbort(sleep(experiment.migration.betweenNs / 1e6));
    }
    const processors = usedMeanwhile();
    await orAbort(lab.finishRecording());
    const snapshot = await orAbort(lab.snapshot());
    for (const p of snapshot.ports) {
      const dropped = p.busy + p.tooLong + p.gone;
      if (dropped > 0) {
        lab.notes.push(
          `port ${p.name} dropped ${dropped} frames on their way out: ${p.busy} receiver busy, ${p.tooLong} too long, ${p.gone} nobody there`,
        );
      }
    }
    const overrun = queueOverrun(snapshot.fiber);
    if (overrun !== null) lab.notes.push(overrun.message);
    const result: RunResult = {
      schema: RESULT_VERSION,
      label: 'measured',
      startedAt: startedAt.toISOString(),
      durationNs: nowNs() - epochNs,
      seed: experiment.seed,
      revision: revision(),
      machine: describeMachine(lab.dirtyLog),
      attach: chosen.kind,
      profile: experiment.fiber.profile,
      experiment,
      rtt,
      lateness: snapshot.lateness,
      fabric: fabricResult(snapshot),
      migrations,
      peer: lab.peer(),
      processors,
      security: await orAbort(lab.security()),
      memoryPeaks: await orAbort(lab.memoryPeaks()),
      notes: [...lab.notes],
      timeline: lab.timeline(),
    };
    if (experiment.keep) {
      kept = new KeptSites(lab.hostStations());
      onEvent({ type: 'kept', sites: kept.sites, result });
      await new Promise<void>((resolve) => {
        if (signal.aborted) resolve();
        signal.addEventListener('abort', () => resolve(), { once: true });
      });
    }
    return result;
  } finally {
    over.abort();
    onEvent({ type: 'clean-up' });
    kept?.remove();
    await lab.tearDown(inDoubt);
    // What is in doubt stays on record: `longhaul host list` names it, and `host resolve` closes it.
    if (!inDoubt) rmSync(dir, { recursive: true, force: true });
    else onEvent({ type: 'note', text: `the guest is in doubt; the records stay in ${dir}: ${REMEDY}` });
  }
}
