/**
 * One migration between two QEMUs, driven as a management layer drives it.
 *
 *   both          migrate-set-capabilities (events, multifd | postcopy-ram), migrate-set-parameters
 *   destination   migrate-incoming tcp:IP:PORT                     listens
 *   source        migrate tcp:IP:PORT                              ─ pre-copy ─► STOP ─► MIGRATION completed
 *   source        migrate-start-postcopy, at once                  post-copy only
 *   destination                                                    RESUME, announces by RARP, runs
 *
 * The destination starts by itself (QEMU's autostart): one one-way trip lies between the source's last byte and RESUME. One
 * that stands by (`QemuBegin`) is told to run once the memories were compared, while both guests stood.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { EnvironmentError, LonghaulError, messageOf } from '../core/index.js';
import { nowNs } from '../sys/index.js';
import type { QemuErrorCode } from './errors.js';
import { compareMemories, type MemoryComparison } from './memory-comparison.js';
import { type MigrationFigures, migrationFigures } from './migration-figures.js';
import type { QemuProcess } from './qemu-process.js';
import type { QmpEvent } from './qmp-messages.js';

export const QEMU_MODES = ['precopy', 'multifd', 'postcopy'] as const;
export type QemuMode = (typeof QEMU_MODES)[number];

export interface QemuMigrationOptions {
  readonly mode: QemuMode;
  /** Connections that carry pages, with multifd. */
  readonly channels: number;
  readonly downtimeLimitNs: number;
  /** Most that pre-copy may send, bits per second; null is unlimited, which is not QEMU's own default of 1 Gbit/s. */
  readonly bandwidthBps: number | null;
  /** Pre-copy longer than this is cancelled, and the guest stays. */
  readonly limitNs: number;
  /** Where the two memories are written to be compared before the guest starts; null: it starts at once. */
  readonly compareAt: string | null;
}

/** Instants, CLOCK_MONOTONIC of this process; 0 for what did not happen. */
export interface QemuMigrationReport {
  readonly outcome: 'completed' | 'stayed' | 'lost';
  readonly code: string;
  readonly text: string;
  readonly startNs: number;
  /** When the source's STOP was read here, and the destination's RESUME. */
  readonly stopNs: number;
  readonly resumeNs: number;
  /** When the last side had said that it was done. */
  readonly endNs: number;
  /** Between the two by QEMU's own stamps of the wall clock; null when one is missing. */
  readonly stopToResumeByStampNs: number | null;
  readonly source: MigrationFigures;
  readonly memory: MemoryComparison | null;
  readonly events: readonly { readonly side: 'source' | 'destination'; readonly event: QmpEvent }[];
}

/** So much that no link here is held back by it; QEMU 7.2 takes 0 as nothing at all. */
const UNLIMITED_BYTES_PER_S = 1e12;
const ENDED = ['completed', 'failed', 'cancelled'];
const PROGRESS_MS = 250;
/** A destination says RESUME, or that it is done, at most so much later than the source that it is. */
const DESTINATION_LIMIT_MS = 30_000;

function capabilitiesOf({ mode }: QemuMigrationOptions): { capability: string; state: boolean }[] {
  return [
    { capability: 'events', state: true },
    { capability: 'multifd', state: mode === 'multifd' },
    { capability: 'postcopy-ram', state: mode === 'postcopy' },
  ];
}

function parametersOf(o: QemuMigrationOptions): Record<string, number> {
  const bytesPerS = o.bandwidthBps === null ? UNLIMITED_BYTES_PER_S : Math.floor(o.bandwidthBps / 8);
  return {
    'max-bandwidth': bytesPerS,
    // Here 0 is no limit.
    'max-postcopy-bandwidth': o.bandwidthBps === null ? 0 : bytesPerS,
    'downtime-limit': Math.round(o.downtimeLimitNs / 1e6),
    ...(o.mode === 'multifd' ? { 'multifd-channels': o.channels } : {}),
  };
}

/** Sets both sides up and lets the destination listen. @throws EnvironmentError QEMU_CANNOT */
export async function prepareMigration(
  source: QemuProcess,
  destination: QemuProcess,
  listen: string,
  options: QemuMigrationOptions,
): Promise<void> {
  for (const side of [source, destination]) {
    try {
      await side.qmp.execute('migrate-set-capabilities', { capabilities: capabilitiesOf(options) });
    } catch (cause) {
      throw new EnvironmentError<QemuErrorCode>('QEMU_CANNOT', messageOf(cause), {
        cause,
        hint:
          options.mode === 'postcopy'
            ? 'post-copy in QEMU wants userfaultfd with privilege: run as root, or set vm.unprivileged_userfaultfd=1'
            : 'choose --mode precopy, or a newer QEMU',
      });
    }
    await side.qmp.execute('migrate-set-parameters', parametersOf(options));
  }
  await destination.qmp.execute('migrate-incoming', { uri: listen });
}

/** The first event that a test accepts, from now on. */
function firstEvent(qemu: QemuProcess, wanted: (e: QmpEvent) => boolean): Promise<QmpEvent> {
  return new Promise((resolve, reject) => {
    const stop = qemu.qmp.onEvent((event) => {
      if (!wanted(event)) return;
      stop();
      resolve(event);
    });
    void qemu.ended.then((how) => reject(qemu.death(how)));
  });
}

function statusOf(event: QmpEvent): string | null {
  return event.name === 'MIGRATION' && typeof event.data.status === 'string' ? event.data.status : null;
}

/**
 * Moves the guest; both sides were prepared. A move that fails is an outcome, not an exception.
 * @param to where the destination listens, `tcp:10.80.1.2:49152`
 * @param onProgress QEMU's figures, a few times a second
 */
export async function migrateQemu(
  source: QemuProcess,
  destination: QemuProcess,
  to: string,
  options: QemuMigrationOptions,
  onProgress: (figures: MigrationFigures) => void = () => {},
): Promise<QemuMigrationReport> {
  const events: { side: 'source' | 'destination'; event: QmpEvent }[] = [];
  const stops = [
    source.qmp.onEvent((event) => events.push({ side: 'source', event })),
    destination.qmp.onEvent((event) => events.push({ side: 'destination', event })),
  ];
  const resumed = firstEvent(destination, (e) => e.name === 'RESUME');
  const arrived = firstEvent(destination, (e) => ENDED.includes(statusOf(e) ?? ''));
  const ended = firstEvent(source, (e) => ENDED.includes(statusOf(e) ?? ''));
  for (const p of [resumed, arrived, ended]) p.catch(() => {});
  const startNs = nowNs();
  let figures: MigrationFigures = migrationFigures({});
  let trouble: { code: string; text: string } | null = null;
  let memory: MemoryComparison | null = null;
  try {
    await source.qmp.execute('migrate', { uri: to });
    if (options.mode === 'postcopy') await source.qmp.execute('migrate-start-postcopy', {});
    // A guest that runs at the destination cannot be called back.
    const untilNs = options.mode === 'postcopy' ? Number.POSITIVE_INFINITY : startNs + options.limitNs;
    const end = await withProgress(source, ended, untilNs, onProgress);
    figures = migrationFigures(await source.qmp.execute('query-migrate', {}));
    if (statusOf(end) !== 'completed') {
      const cancelled = statusOf(end) === 'cancelled';
      trouble = cancelled
        ? { code: 'QEMU_LIMIT', text: `pre-copy was cancelled after ${options.limitNs / 1e9} s` }
        : { code: 'QEMU_MIGRATION_FAILED', text: figures.errorText ?? 'QEMU gives no reason' };
    } else {
      if (options.compareAt !== null) {
        await bounded(arrived, destination);
        const bytes = await memoryBytesOf(source);
        memory = await compareMemories(source, destination, bytes, options.compareAt);
        await destination.qmp.execute('cont', {});
      }
      await bounded(Promise.all([resumed, arrived]), destination);
    }
  } catch (e) {
    trouble = { code: e instanceof LonghaulError ? e.code : 'QEMU_DIED', text: messageOf(e) };
  } finally {
    for (const stop of stops) stop();
  }
  const stop = events.find(({ side, event }) => side === 'source' && event.name === 'STOP')?.event;
  const resume = events.find(({ side, event }) => side === 'destination' && event.name === 'RESUME')?.event;
  const last = events.filter(({ event }) => ENDED.includes(statusOf(event) ?? '')).at(-1)?.event;
  const stamps = [stop?.stampUs ?? null, resume?.stampUs ?? null] as const;
  return {
    outcome: trouble === null ? 'completed' : source.alive && resume === undefined ? 'stayed' : 'lost',
    code: trouble?.code ?? '',
    text: trouble?.text ?? '',
    startNs,
    stopNs: stop?.atNs ?? 0,
    resumeNs: resume?.atNs ?? 0,
    endNs: last?.atNs ?? nowNs(),
    stopToResumeByStampNs:
      stamps[0] === null || stamps[1] === null ? null : Math.round((stamps[1] - stamps[0]) * 1000),
    source: figures,
    memory,
    events,
  };
}

async function memoryBytesOf(qemu: QemuProcess): Promise<number> {
  const answer = (await qemu.qmp.execute('query-memory-size-summary', {})) as { 'base-memory'?: unknown };
  return Number(answer['base-memory'] ?? 0);
}

/** Waits for the end of a move, telling how far it has come; one that takes too long is cancelled. */
async function withProgress(
  source: QemuProcess,
  ended: Promise<QmpEvent>,
  untilNs: number,
  onProgress: (figures: MigrationFigures) => void,
): Promise<QmpEvent> {
  let cancelled = false;
  for (;;) {
    const ticking = new AbortController();
    const tick = sleep(PROGRESS_MS, null, { signal: ticking.signal }).catch(() => null);
    const end = await Promise.race([ended, tick]).finally(() => ticking.abort());
    if (end !== null) return end;
    onProgress(migrationFigures(await source.qmp.execute('query-migrate', {})));
    if (nowNs() < untilNs || cancelled) continue;
    cancelled = true;
    await source.qmp.execute('migrate_cancel', {});
  }
}

async function bounded(work: Promise<unknown>, destination: QemuProcess): Promise<void> {
  const limit = new AbortController();
  const late = sleep(DESTINATION_LIMIT_MS, 'late' as const, { signal: limit.signal }).catch(() => null);
  const first = await Promise.race([work, late]).finally(() => limit.abort());
  if (first === 'late') {
    throw new LonghaulError<QemuErrorCode>(
      'QEMU_DIED',
      `${destination.name} has not resumed ${DESTINATION_LIMIT_MS / 1000} s after the source was done`,
    );
  }
}
