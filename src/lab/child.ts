/**
 * A child process of the lab, host or client: started inside a namespace where it has one, asked things over
 * IPC, ended for certain. A child that dies unasked is told to whoever waits for it.
 */
import { type ChildProcess, fork, type StdioOptions } from 'node:child_process';
import { LonghaulError } from '../core/index.js';
import { inNetns } from '../sys/index.js';

/** How long a child may take to end by itself before it is killed. */
const END_LIMIT_MS = 2000;

export interface ChildOptions {
  readonly name: string;
  readonly file: URL;
  /** Namespace to live in; null for the lab's own. */
  readonly netnsFd: number | null;
  /** Descriptors to inherit; they become 4, 5, … in the child (3 is IPC). */
  readonly fds: readonly number[];
}

/** The number under which the child finds the nth inherited descriptor. */
export function inheritedFd(n: number): number {
  return 4 + n;
}

export class Child<Request, Reply extends { readonly type: string }> {
  readonly name: string;
  readonly #process: ChildProcess;
  readonly #waiting: { type: string; resolve(r: Reply): void; reject(e: Error): void }[] = [];
  #onReply: (reply: Reply) => void = () => {};
  #ending = false;
  /** Settles when the process has ended; tells whether it was asked to. */
  readonly ended: Promise<{ readonly asked: boolean; readonly how: string }>;

  constructor(options: ChildOptions) {
    this.name = options.name;
    const stdio: StdioOptions = ['ignore', 'inherit', 'inherit', 'ipc', ...options.fds];
    // stdout of a child would mix with the result's JSON: send it to stderr.
    stdio[1] = 2;
    const start = (): ChildProcess =>
      fork(options.file, [], { stdio, serialization: 'advanced', execArgv: [] });
    this.#process = options.netnsFd === null ? start() : inNetns(options.netnsFd, start);
    this.#process.on('message', (m) => this.#take(m as Reply));
    this.ended = new Promise((resolve) => {
      this.#process.once('exit', (code, signal) => {
        const how = signal !== null ? `was killed by ${signal}` : `exited with ${code}`;
        for (const w of this.#waiting.splice(0)) {
          w.reject(
            new LonghaulError('LAB_CHILD_DIED', `${this.name} ${how}`, { details: { name: this.name } }),
          );
        }
        resolve({ asked: this.#ending, how });
      });
    });
    this.#process.on('error', () => {});
  }

  get pid(): number {
    return this.#process.pid ?? -1;
  }

  get alive(): boolean {
    return this.#process.exitCode === null && this.#process.signalCode === null;
  }

  /** Everything the child says, besides what is waited for. */
  set onReply(listener: (reply: Reply) => void) {
    this.#onReply = listener;
  }

  send(request: Request): void {
    if (this.#process.connected) this.#process.send(request as object, () => {});
  }

  /** The next reply of a type. @throws LonghaulError LAB_CHILD_DIED, or the child's own `failed` */
  next<T extends Reply['type']>(type: T): Promise<Extract<Reply, { type: T }>> {
    return new Promise((resolve, reject) => {
      if (!this.alive) return reject(new LonghaulError('LAB_CHILD_DIED', `${this.name} has ended`));
      this.#waiting.push({ type, resolve: resolve as (r: Reply) => void, reject });
    });
  }

  /** Sends a request and waits for the reply of a type. */
  ask<T extends Reply['type']>(request: Request, type: T): Promise<Extract<Reply, { type: T }>> {
    const reply = this.next(type);
    this.send(request);
    return reply;
  }

  /** Ends the child: asks, waits, kills. */
  async end(request: Request): Promise<void> {
    this.#ending = true;
    if (!this.alive) return;
    this.send(request);
    const timer = setTimeout(() => this.#process.kill('SIGKILL'), END_LIMIT_MS);
    await this.ended;
    clearTimeout(timer);
  }

  #take(reply: Reply): void {
    const failed = reply.type === 'failed' ? (reply as unknown as { code?: string; text: string }) : null;
    const index = this.#waiting.findIndex((w) => w.type === reply.type || failed !== null);
    if (index >= 0) {
      const [w] = this.#waiting.splice(index, 1);
      if (failed)
        w!.reject(new LonghaulError(failed.code ?? 'LAB_CHILD_FAILED', `${this.name}: ${failed.text}`));
      else w!.resolve(reply);
    }
    this.#onReply(reply);
  }
}
