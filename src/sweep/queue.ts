/**
 * Cells as jobs in Redis or Valkey, through BullMQ:
 *
 *   longhaul sweep --queue ──► jobs, named by their cells' hashes ──► longhaul worker … (any number, any machine)
 *        store ◄── outcomes, taken by asking every second ◄── kept with the job until then
 *
 * What survives what. A worker that dies: its job's lock runs out and another worker does it again. Redis that is
 * started anew over its append-only file: jobs and outcomes are in it, both sides connect again. The sweep itself:
 * started again it finds its store and its jobs. A job that was done twice has one outcome in the store, by its name.
 *
 * The queue's name holds the revision, so that a worker of another revision never gets these cells.
 */
import type { Job, Queue, Worker } from 'bullmq';
import { EnvironmentError, LonghaulError, messageOf } from '../core/index.js';
import { CellRunner } from './cell-runner.js';
import type { CellOutcome } from './outcome.js';
import type { Cell, SweepErrorCode } from './plan.js';

/** Without a sign of life for so long, a worker's job is somebody else's. */
const LOCK_MS = 10_000;
const STALLED_EVERY_MS = 3_000;
const ASK_EVERY_MS = 1_000;
const ADD_EVERY = 10;
/** A job whose workers died so often is not run again. */
const MAX_LOST = 20;
const CONNECT_LIMIT_MS = 5_000;
const REDIS_COMMAND = 'redis-server --port N --appendonly yes --maxmemory-policy noeviction';

interface JobData {
  readonly cell: Cell;
}

type CellQueue = Queue<JobData, CellOutcome>;
type CellJob = Job<JobData, CellOutcome>;

/** Both packages are optional: they are loaded when a queue is asked for. @throws EnvironmentError `SWEEP_QUEUE` */
async function loadBullmq(): Promise<typeof import('bullmq')> {
  try {
    return await import('bullmq');
  } catch (cause) {
    throw new EnvironmentError<SweepErrorCode>(
      'SWEEP_QUEUE',
      'the packages bullmq and ioredis are not installed',
      {
        cause,
        hint: 'npm install bullmq ioredis, which npm ci does unless told --omit=optional',
      },
    );
  }
}

/** @throws EnvironmentError `SWEEP_QUEUE` when nothing answers there, or it would drop jobs when memory is short */
async function checkRedis(url: string): Promise<void> {
  const { Redis } = await import('ioredis');
  const redis = new Redis(url, {
    lazyConnect: true,
    retryStrategy: () => null,
    connectTimeout: CONNECT_LIMIT_MS,
    maxRetriesPerRequest: 0,
  });
  redis.on('error', () => {});
  try {
    await redis.connect();
    const [, policy] = (await redis.config('GET', 'maxmemory-policy').catch(() => [])) as string[];
    if (policy !== undefined && policy !== 'noeviction')
      throw new Error(`it evicts keys when memory is short (maxmemory-policy ${policy})`);
  } catch (cause) {
    throw new EnvironmentError<SweepErrorCode>('SWEEP_QUEUE', `${url} is no queue: ${messageOf(cause)}`, {
      cause,
      hint: `start one: ${REDIS_COMMAND}`,
    });
  } finally {
    redis.disconnect();
  }
}

const queueName = (revision: string): string => `cells ${revision}`;

function connectionTo(url: string) {
  return { url, maxRetriesPerRequest: null, retryStrategy: (n: number) => Math.min(200 * n, 2_000) };
}

export interface QueueOptions {
  readonly url: string;
  readonly revision: string;
  readonly signal: AbortSignal;
  /** True when the outcome is safely kept: only then is it taken out of the queue. */
  onOutcome(cell: Cell, outcome: CellOutcome): void;
}

/** Puts cells into the queue and waits until every one has come back. @throws EnvironmentError `SWEEP_QUEUE` */
export async function runQueued(cells: readonly Cell[], options: QueueOptions): Promise<void> {
  const bullmq = await loadBullmq();
  await checkRedis(options.url);
  const queue: CellQueue = new bullmq.Queue(queueName(options.revision), {
    connection: connectionTo(options.url),
    prefix: 'longhaul',
  });
  queue.on('error', () => {}); // a connection that is lost comes back
  const open = new Map(cells.map((cell) => [jobIdOf(cell), cell]));
  try {
    for (let asked = 0; open.size > 0 && !options.signal.aborted; asked++) {
      // Jobs that are there already are left alone; those that Redis lost with its last second are put in again.
      if (asked % ADD_EVERY === 0) await add(queue, [...open.values()]).catch(() => {});
      await collect(queue, open, options.onOutcome).catch(() => {}); // Redis is away: asked again
      if (open.size > 0) await pause(ASK_EVERY_MS, options.signal);
    }
    if (options.signal.aborted) for (const id of open.keys()) await queue.remove(id).catch(() => 0);
  } finally {
    await queue.close();
  }
}

async function add(queue: CellQueue, cells: readonly Cell[]): Promise<void> {
  await queue.addBulk(
    cells.map((cell) => ({ name: cell.name, data: { cell }, opts: { jobId: jobIdOf(cell), attempts: 3 } })),
  );
}

async function collect(
  queue: CellQueue,
  open: Map<string, Cell>,
  onOutcome: QueueOptions['onOutcome'],
): Promise<void> {
  for (const job of await queue.getJobs(['completed', 'failed'])) {
    const cell = job?.id === undefined ? undefined : open.get(job.id);
    if (job === undefined || cell === undefined) continue;
    onOutcome(cell, outcomeOf(job));
    open.delete(job.id!);
    await job.remove();
  }
}

function outcomeOf(job: CellJob): CellOutcome {
  if (job.returnvalue !== null && job.returnvalue !== undefined) return job.returnvalue;
  return { ok: false, code: 'SWEEP_CHILD_DIED', text: job.failedReason ?? 'its workers died' };
}

/** A number alone is no id there. */
function jobIdOf({ hash }: Cell): string {
  return `c${hash}`;
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(done, ms);
    function done(): void {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    }
    signal.addEventListener('abort', done, { once: true });
  });
}

export interface WorkOptions {
  readonly url: string;
  readonly revision: string;
  /** Aborted by Ctrl-C; the cell under way is left to another worker. */
  readonly signal: AbortSignal;
  onCell(cell: Cell, outcome: CellOutcome): void;
}

/** Runs cells from the queue, one at a time, until it is told to end. @throws EnvironmentError `SWEEP_QUEUE` */
export async function workOn(options: WorkOptions): Promise<void> {
  const bullmq = await loadBullmq();
  await checkRedis(options.url);
  const runner = new CellRunner();
  const process = async (job: CellJob): Promise<CellOutcome> => {
    const outcome = await runner.run(job.data.cell);
    // A child that died is tried again, here or elsewhere; what a cell itself refuses would be refused again.
    if (!outcome.ok && outcome.code === 'SWEEP_CHILD_DIED')
      throw new LonghaulError(outcome.code, outcome.text);
    options.onCell(job.data.cell, outcome);
    return outcome;
  };
  const worker: Worker<JobData, CellOutcome> = new bullmq.Worker(queueName(options.revision), process, {
    connection: connectionTo(options.url),
    prefix: 'longhaul',
    lockDuration: LOCK_MS,
    stalledInterval: STALLED_EVERY_MS,
    maxStalledCount: MAX_LOST,
  });
  worker.on('error', () => {}); // a connection that is lost comes back
  await new Promise<void>((resolve) => {
    if (options.signal.aborted) resolve();
    options.signal.addEventListener('abort', () => resolve(), { once: true });
  });
  runner.end();
  await worker.close(true);
}
