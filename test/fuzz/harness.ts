/** Feeds targets and holds them to it: no throw, no endless work, no allocation over what is stated. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { getHeapStatistics } from 'node:v8';
import { Rng } from '../../src/core/index.js';
import { Mutator } from './mutations.js';
import type { FuzzTarget } from './targets.js';

/** Found cases, a folder a target, one input a file in hexadecimal digits. */
const CORPUS = fileURLToPath(new URL('../../../test/fuzz/corpus/', import.meta.url));
const LONGEST_INPUT = 16_384;
/** Work of one input that counts as a hang: time of the processor, since on a busy machine a process may stand for minutes. */
const HANG_MS = 2_000;
/** The figure is exact only when looked at often; at every input it would cost more than the decoders do. */
const LOOK_EVERY = 32;

export interface Found {
  readonly target: string;
  readonly hex: string;
  readonly what: string;
}

/** Inputs that were found before, for this target. */
export function corpusOf(target: FuzzTarget): { readonly name: string; readonly bytes: Uint8Array }[] {
  const dir = join(CORPUS, target.name);
  if (!existsSync(dir)) return [];
  return readdirSync(dir)
    .sort()
    .map((name) => {
      const digits = readFileSync(join(dir, name), 'utf8').replace(/#.*$/gm, '').replace(/\s/g, '');
      return { name, bytes: new Uint8Array(Buffer.from(digits, 'hex')) };
    });
}

/** Feeds one input. @returns what went wrong, or null */
export function feed(target: FuzzTarget, bytes: Uint8Array): string | null {
  try {
    target.feed(bytes);
    return null;
  } catch (e) {
    return e instanceof Error ? `${e.name}: ${e.message}` : String(e);
  }
}

/** What this process has had of processors. */
export function processorMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/** Feeds `inputs` mutants of the target's samples and corpus. @returns the first failure, or null */
export function fuzz(target: FuzzTarget, inputs: number, seed: string): Found | null {
  const mutator = new Mutator(new Rng(seed).fork(target.name), LONGEST_INPUT);
  const samples = [...target.samples, ...corpusOf(target).map((c) => c.bytes)].filter((s) => s.length > 0);
  let externalBytes = getHeapStatistics().external_memory;
  let sinceMs = processorMs();
  for (let n = 0; n < inputs; n++) {
    const bytes = mutator.next(samples, target.inputMax);
    const what = feed(target, bytes);
    if (what !== null) return { target: target.name, hex: Buffer.from(bytes).toString('hex'), what };
    if (n % LOOK_EVERY !== 0) continue;
    const nowBytes = getHeapStatistics().external_memory;
    const grown = nowBytes - externalBytes;
    if (grown > target.maxBytes * LOOK_EVERY)
      return {
        target: target.name,
        hex: Buffer.from(bytes).toString('hex'),
        what: `${grown} bytes were allocated`,
      };
    externalBytes = nowBytes;
    const nowMs = processorMs();
    if (nowMs - sinceMs > HANG_MS * LOOK_EVERY)
      return {
        target: target.name,
        hex: Buffer.from(bytes).toString('hex'),
        what: `${LOOK_EVERY} inputs took ${Math.round(nowMs - sinceMs)} ms`,
      };
    sinceMs = nowMs;
  }
  return null;
}
