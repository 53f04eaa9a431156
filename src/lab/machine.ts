/** What a result says of the machine it was made on, and of the code that made it. */
import { type ExecFileSyncOptionsWithStringEncoding, execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { availableParallelism, cpus, hostname, release, totalmem } from 'node:os';
import { fileURLToPath } from 'node:url';
import type { RunResult } from './result.js';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));

let known: string | undefined;

/** Version of longhaul, and the git commit where this is a clone: `0.1.0+e3ef308`, `-dirty` when changed. */
export function revision(): string {
  known ??= findRevision();
  return known;
}

function findRevision(): string {
  const { version } = JSON.parse(readFileSync(`${ROOT}package.json`, 'utf8')) as { version: string };
  try {
    const options: ExecFileSyncOptionsWithStringEncoding = {
      cwd: ROOT,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    };
    const top = execFileSync('git', ['rev-parse', '--show-toplevel'], options).trim();
    if (`${top}/` !== ROOT) return version;
    return `${version}+${execFileSync('git', ['describe', '--always', '--dirty', '--exclude', '*'], options).trim()}`;
  } catch {
    return version;
  }
}

export function describeMachine(dirtyLog: RunResult['machine']['dirtyLog']): RunResult['machine'] {
  return {
    name: hostname(),
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    memoryBytes: totalmem(),
    kernel: release(),
    arch: process.arch,
    node: process.version,
    root: process.getuid?.() === 0,
    dirtyLog,
  };
}
