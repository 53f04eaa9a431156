/** A redis-server of a test's own, on a free port of loopback, that keeps what it holds in an append-only file. */
import { type ChildProcess, spawn } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { createServer } from 'node:net';
import { delimiter, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';

function installed(name: string): boolean {
  return (process.env.PATH ?? '').split(delimiter).some((dir) => {
    try {
      accessSync(join(dir, name), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

export const NO_REDIS = installed('redis-server') ? null : 'no redis-server (Debian package redis-server)';

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

export class RedisServer {
  readonly url: string;
  readonly #port: number;
  readonly #dir: string;
  #child: ChildProcess | null = null;

  /** @param dir its files go here, and are found here again */
  constructor(port: number, dir: string) {
    this.#port = port;
    this.#dir = dir;
    this.url = `redis://127.0.0.1:${port}`;
  }

  async start(): Promise<void> {
    const words = `--bind 127.0.0.1 --port ${this.#port} --dir ${this.#dir} --appendonly yes --save`;
    this.#child = spawn('redis-server', [...words.split(' '), '', '--maxmemory-policy', 'noeviction'], {
      stdio: 'ignore',
    });
    for (;;) {
      const redis = new Redis(this.url, {
        lazyConnect: true,
        retryStrategy: () => null,
        maxRetriesPerRequest: 0,
      });
      redis.on('error', () => {});
      try {
        await redis.connect();
        if ((await redis.ping()) === 'PONG') return;
      } catch {
        await sleep(50);
      } finally {
        redis.disconnect();
      }
    }
  }

  async kill(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    const child = this.#child;
    if (child === null || child.exitCode !== null) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill(signal);
    await ended;
    this.#child = null;
  }
}
