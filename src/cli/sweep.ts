/** `longhaul sweep PLAN.yaml` and `longhaul worker`: cells run, progress told, an account at the end. */
import { join } from 'node:path';
import { ConfigError, formatNs } from '../core/index.js';
import { readYaml } from '../lab/config/yaml-file.js';
import { revision } from '../lab/machine.js';
import {
  type CellOutcome,
  isSimulated,
  PLAN_FILE,
  parsePlan,
  parseShard,
  sweep as runSweep,
  type SweepProgress,
  shardOf,
  workOn,
} from '../sweep/index.js';
import { EXIT_FAILED, EXIT_INTERRUPTED, EXIT_OK } from './exit-codes.js';
import type { SweepTyped, WorkerTyped } from './sweep-command.js';

export interface SweepContext {
  out(text: string): void;
  err(text: string): void;
  readonly signal: AbortSignal;
  /** An unprivileged user's command starts over where it may make namespaces. */
  enterUserNamespace(): void;
}

export type SweepOptionErrorCode = 'CLI_WORKERS';

export async function sweep(file: string, typed: SweepTyped, context: SweepContext): Promise<number> {
  const { out, err, signal } = context;
  const plan = parsePlan(readYaml(file, PLAN_FILE));
  const cells = typed.shard === undefined ? plan.cells : shardOf(plan.cells, parseShard(typed.shard));
  if (typed.list) {
    for (const cell of cells) out(typed.json ? `${JSON.stringify(cell)}\n` : `${cell.hash}  ${cell.name}\n`);
    return EXIT_OK;
  }
  const measured = cells.some((cell) => !isSimulated(cell) && cell.input.attach !== 'loopback');
  if (measured && typed.queue === undefined) context.enterUserNamespace();
  const storeDir = typed.store ?? join('results', plan.name);
  const end = await runSweep(cells, {
    storeDir,
    queue: typed.queue,
    workers: workersOf(typed.workers),
    signal,
    onProgress: (p) => err(`${progressLine(p)}\n`),
  });
  if (typed.json) out(`${JSON.stringify({ store: storeDir, ...end })}\n`);
  else {
    const before = end.before > 0 ? `, ${end.before} of them before` : '';
    out(`${end.done} of ${end.of} cells have a result in ${storeDir}${before}\n`);
    for (const f of end.failed) out(`impossible: ${f.name}: ${f.text}\n`);
  }
  if (signal.aborted) {
    err('longhaul: interrupted; the same command goes on where it was\n');
    return EXIT_INTERRUPTED;
  }
  return end.failed.length === 0 ? EXIT_OK : EXIT_FAILED;
}

export async function worker({ queue }: WorkerTyped, { err, signal }: SweepContext): Promise<number> {
  const made = revision();
  err(`waiting for cells of longhaul ${made} at ${queue}; Ctrl-C ends\n`);
  await workOn({
    url: queue,
    revision: made,
    signal,
    onCell: (cell, outcome) => err(`${cell.name}: ${outcomeText(outcome)}\n`),
  });
  return EXIT_OK;
}

function progressLine({ cell, outcome, done, of, etaMs }: SweepProgress): string {
  const left = etaMs === null || done === of ? '' : `, ${formatNs(etaMs * 1e6)} left`;
  return `${String(done).padStart(String(of).length)}/${of}  ${cell.name}: ${outcomeText(outcome)}${left}`;
}

function outcomeText(outcome: CellOutcome): string {
  if (!outcome.ok) return outcome.text;
  const { migrations } = outcome.result;
  const pauses = migrations.flatMap((m) => m.pauseNs ?? []);
  const longest =
    pauses.length === 0 ? 'no move completed' : `pause at most ${formatNs(Math.max(...pauses))}`;
  return `${migrations.length} move${migrations.length === 1 ? '' : 's'}, ${longest}`;
}

function workersOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const n = Number(text);
  if (Number.isInteger(n) && n >= 1 && n <= 256) return n;
  throw new ConfigError<SweepOptionErrorCode>(
    'CLI_WORKERS',
    `--workers ${text} is not a whole number in 1..256`,
    {
      hint: 'leave it out: then there are as many as pay',
    },
  );
}
