/** 200 cells, two worker processes, a real redis-server: one worker is killed, Redis is killed and started anew. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as assert from 'uvu/assert';
import { ResultStore } from '../../src/results/index.js';
import { planFrom, sweep } from '../../src/sweep/index.js';
import { suite } from '../suite.js';
import { freePort, NO_REDIS, RedisServer } from './redis.js';

const test = suite('interop/sweep-queue');
const MAIN = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url));

test.when(
  NO_REDIS,
  'no cell of 200 is lost or counted twice by the death of a worker and of Redis',
  async () => {
    const dir = mkdtempSync(join(tmpdir(), 'longhaul-queue-'));
    mkdirSync(join(dir, 'redis'));
    const redis = new RedisServer(await freePort(), join(dir, 'redis'));
    await redis.start();
    const workers: ChildProcess[] = [];
    let made = 0;
    const startWorker = (): ChildProcess => {
      const child = spawn(process.execPath, [MAIN, 'worker', '--queue', redis.url], {
        stdio: ['ignore', 'ignore', 'pipe'],
        cwd: dir,
      });
      child.stderr!.on('data', (d: Buffer) => {
        made += d.toString().match(/: \d+ move/g)?.length ?? 0;
      });
      workers.push(child);
      return child;
    };
    try {
      const { cells } = planFrom({
        base: { attach: 'sim', guest: { memory: '1MiB' }, clients: [], probe: { count: 10 } },
        axes: { 'migration.mode': ['precopy', 'hybrid'] },
        repeats: 100,
      });
      assert.is(cells.length, 200);
      const first = startWorker();
      startWorker();
      const counted = new Map<string, number>();
      let redisAnew: Promise<void> | null = null;
      const end = await sweep(cells, {
        storeDir: join(dir, 'store'),
        queue: redis.url,
        signal: AbortSignal.timeout(280_000),
        onProgress: ({ cell, done }) => {
          counted.set(cell.hash, (counted.get(cell.hash) ?? 0) + 1);
          if (done >= 40 && !first.killed) first.kill('SIGKILL');
          if (done >= 90 && redisAnew === null) redisAnew = redis.kill('SIGKILL').then(() => redis.start());
        },
      });
      assert.ok(first.killed && redisAnew !== null, 'both died in the middle');
      await redisAnew;
      assert.equal([end.done, end.of, end.failed], [200, 200, []]);
      assert.equal([counted.size, Math.max(...counted.values())], [200, 1]);
      const { entries, unreadable } = new ResultStore(join(dir, 'store')).list();
      assert.equal(entries.map((e) => e.id).sort(), cells.map((c) => c.hash).sort());
      assert.equal(unreadable, []);
      process.stdout.write(
        `  200 cells, each once; workers made ${made} of them, those of the dead one twice\n`,
      );
    } finally {
      for (const worker of workers) worker.kill('SIGKILL');
      await redis.kill('SIGKILL');
      rmSync(dir, { recursive: true, force: true });
    }
  },
);

test.when(NO_REDIS, 'nothing that answers: refused at once, with the command that starts one', async () => {
  const { cells } = planFrom({ base: { attach: 'sim' } });
  try {
    await sweep(cells, {
      storeDir: join(tmpdir(), 'longhaul-none'),
      queue: `redis://127.0.0.1:${await freePort()}`,
      signal: new AbortController().signal,
      onProgress: () => {},
    });
    assert.unreachable();
  } catch (e) {
    assert.match(
      (e as { line(): string }).line(),
      /^SWEEP_QUEUE: redis:.* is no queue: .*redis-server --port N/,
    );
  }
});

test.run();
