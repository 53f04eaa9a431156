/**
 * `npm run bench:peers -- [--quick] [--only TEXT]… [--memory SIZE] [--moves N] [--out FILE]`
 *
 * longhaul's migration beside QEMU's: same fabric, same metal image, memory, content and dirty rate, in turn.
 *
 *   SYSTEM.DIRTY.RTT.LOSS.pause    ms  longhaul: pause call to first guest instruction; QEMU: STOP to RESUME as events
 *                                      were read here, which leaves out stopping the processor and starting it
 *   SYSTEM.DIRTY.RTT.LOSS.total    ms  from the order until both sides were done; with post-copy, until the last page came
 *   SYSTEM.DIRTY.RTT.LOSS.bytes   MiB  on the wire towards the destination
 *   SYSTEM.DIRTY.RTT.LOSS.gap      ms  the longest time between two answers that a client saw
 *   SYSTEM.DIRTY.RTT.LOSS.damaged      moves of QEMU's after which the guest itself found pages that it had not written so
 *
 * A figure is the median of the moves of a cell, there and back, after two that count for nothing: in an emulator that has just
 * come to a host, the compiler is at work beside the move. longhaul runs --insecure, as QEMU sends in clear. A
 * file that is there already is gone on with: its figures stay, cells measured now take the places of their own.
 */
import { existsSync, readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { messageOf } from '../../src/core/index.js';
import { experimentFrom } from '../../src/lab/config/experiment-file.js';
import { qemuPlan } from '../../src/lab/qemu/plan.js';
import { runQemu } from '../../src/lab/qemu/run-qemu.js';
import type { MigrationResult, RunResult } from '../../src/lab/result.js';
import { runExperiment } from '../../src/lab/run.js';
import { findQemu } from '../../src/qemu/index.js';
import { type BenchResult, type Figure, Figures, say } from '../figures.js';
import { cellName, FIGURES, PLACES, type Place, SYSTEMS, type System, sharedKeys } from './cells.js';
import { peersTable, ratios } from './table.js';

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    only: { type: 'string', multiple: true, default: [] },
    memory: { type: 'string' },
    moves: { type: 'string' },
    out: { type: 'string' },
  },
});
const memory = values.memory ?? (values.quick ? '64MiB' : '256MiB');
const moves = Number(values.moves ?? (values.quick ? 2 : 6));
const HOT_SET = '32MiB';
/** Moves of a cell, one to each side, that count for nothing. */
const WARM_UP = 2;
/** Quick: the corners that decide. */
const QUICK: readonly string[] = ['50MBps.800us.0', '50MBps.10ms.1e-3'];

const HOOKS = { onEvent: () => {}, signal: new AbortController().signal };

async function measure(system: System, place: Place): Promise<RunResult> {
  const keys = sharedKeys(place, memory, HOT_SET, WARM_UP + moves);
  if (system.by === 'longhaul') {
    const { guest, migration, ...rest } = keys;
    return runExperiment(
      experimentFrom({
        ...rest,
        attach: 'netns',
        guest: { ...guest, kind: system.guest },
        migration: { ...migration, insecure: true },
      }),
      HOOKS,
    );
  }
  const plan = qemuPlan([], system.typed, keys);
  return runQemu(plan, HOOKS);
}

/** Until both sides were done: with post-copy of ours the last page comes after the switchover. */
function totalNs(m: MigrationResult): number {
  return m.totalNs + (m.postcopy?.durationNs ?? 0);
}

function add(figures: Figures, name: string, result: RunResult): void {
  const done = result.migrations
    .slice(WARM_UP)
    .filter((m) => m.outcome === 'completed' && m.pauseNs !== null);
  const failed = result.migrations.find((m) => m.outcome !== 'completed');
  if (failed !== undefined) {
    return figures.skip(
      name,
      `move ${failed.index + 1} ${failed.outcome}: ${failed.reason?.text ?? 'no reason'}`,
    );
  }
  const damaged = result.migrations.filter((m) => m.memoryIdentical === false).length;
  if (damaged > 0 && result.peer === null) return figures.skip(name, 'memory differs after the move');
  figures.add(`${name}.damaged`, 'moves', [damaged]);
  figures.add(
    `${name}.pause`,
    'ms',
    done.map((m) => m.pauseNs! / 1e6),
  );
  figures.add(
    `${name}.total`,
    'ms',
    done.map((m) => totalNs(m) / 1e6),
  );
  figures.add(
    `${name}.bytes`,
    'MiB',
    done.map((m) => m.bytesOnWire / 2 ** 20),
  );
  figures.add(
    `${name}.gap`,
    'ms',
    done.map((m) => Math.max(...m.clients.map((c) => c.longestGapNs)) / 1e6),
  );
}

/** Figures of a file that this run goes on with. */
function before(out: string | undefined): readonly Figure[] {
  if (out === undefined || !existsSync(out)) return [];
  const { figures } = JSON.parse(readFileSync(out, 'utf8')) as BenchResult;
  return figures.filter(({ name }) => !name.endsWith('_over_qemu_best'));
}

function wanted(name: string): boolean {
  const { only } = values;
  if (only.length > 0) return only.some((text) => name.includes(text));
  return !values.quick || QUICK.some((place) => name.endsWith(place));
}

const figures = new Figures('peers');
const earlier = before(values.out);
const lack = await findQemu(null).then(
  () => null,
  (e: unknown) => messageOf(e),
);
const cells = PLACES.flatMap((place) =>
  SYSTEMS.map((system) => ({ system, place, name: cellName(system, place) })),
).filter(({ name }) => wanted(name));
const taken = new Set(cells.flatMap(({ name }) => FIGURES.map((figure) => `${name}.${figure}`)));
for (const f of earlier) if (!taken.has(f.name)) figures.keep(f);
for (const { system, place, name } of cells) {
  if (system.by === 'qemu' && lack !== null) {
    figures.skip(name, lack);
    continue;
  }
  try {
    add(figures, name, await measure(system, place));
  } catch (e) {
    figures.skip(name, messageOf(e));
    process.exitCode = 1;
  }
  figures.save(values.out);
}
for (const { name, value } of ratios(figures.all)) figures.add(name, 'ratio', [value]);
figures.finish(values.out);
say(
  `pause ms / total ms / MiB on the wire; ${memory}, hot set ${HOT_SET}, 10 Gbit/s\n${peersTable(figures.all)}`,
);
