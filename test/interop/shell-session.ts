/**
 * A shell on a guest, over SSH by the OpenSSH client, from the network namespace of one of a run's clients. What is typed has
 * to come back computed by one and the same shell: it knows its own number, and counts what it was asked.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

const OPTIONS = [
  'BatchMode=yes',
  'ConnectionAttempts=5',
  'LogLevel=ERROR',
  'StrictHostKeyChecking=no',
  'UserKnownHostsFile=/dev/null',
].flatMap((option) => ['-o', option]);

/** Processes of a run's clients, by what they were started with. */
export function clientProcesses(parent = process.pid): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
        const ppid = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
        return ppid === parent && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('client-process');
      } catch {
        return false;
      }
    })
    .map(Number);
}

export class ShellSession {
  readonly #ssh: ChildProcess;
  #shown = '';
  #asked = 0;
  /** How the client ended; null while it lives. */
  end: string | null = null;
  /** Nanoseconds from each line typed to its answer. */
  readonly answersNs: number[] = [];
  readonly #waiting: { readonly word: string; readonly sinceNs: bigint }[] = [];

  /** @param clientPid in whose network namespace it runs */
  constructor(clientPid: number, address: string) {
    const ssh = ['ssh', '-T', ...OPTIONS, `root@${address}`, '/bin/sh'];
    this.#ssh = spawn('nsenter', [`--net=/proc/${clientPid}/ns/net`, ...ssh], { stdio: 'pipe' });
    for (const stream of [this.#ssh.stdout!, this.#ssh.stderr!]) {
      stream.on('data', (bytes: Buffer) => {
        this.#shown += bytes.toString('latin1');
        while (this.#waiting.length > 0 && this.#shown.includes(this.#waiting[0]!.word))
          this.answersNs.push(Number(process.hrtime.bigint() - this.#waiting.shift()!.sinceNs));
      });
    }
    this.#ssh.on('close', (code, signal) => {
      this.end = `exited with ${code ?? signal}: ${this.#shown.slice(-200)}`;
    });
    this.#ssh.stdin!.on('error', () => {}); // 'close' follows
    this.#ssh.stdin!.write('n=0; number=$$\n');
  }

  /** Types a question that only this shell can answer. */
  ask(): void {
    this.#asked++;
    this.#waiting.push({ word: `shell answers ${this.#asked}\n`, sinceNs: process.hrtime.bigint() });
    this.#ssh.stdin!.write('n=$((n + 1)); [ $$ = $number ] && echo "shell answers $n"\n');
  }

  get asked(): number {
    return this.#asked;
  }

  close(): void {
    this.#ssh.kill('SIGTERM');
    for (const stream of this.#ssh.stdio) stream?.destroy();
  }
}
