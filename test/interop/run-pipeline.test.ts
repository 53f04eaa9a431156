/**
 * The page pipeline in whole runs: on a slow fiber `auto` finds out that shorter pages pay, in every mode, and every
 * page is still proved; each technique can be fixed. Faults on the way are those of `run.test.ts`, whose pipeline is `auto`.
 */
import * as assert from 'uvu/assert';
import { PAGE_SIZE } from '../../src/core/index.js';
import { canCatchFaults } from '../../src/host/index.js';
import { experimentFrom } from '../../src/lab/config/experiment-file.js';
import type { ExperimentInput } from '../../src/lab/config/experiment-keys.js';
import type { PipelineResult, RunResult } from '../../src/lab/result.js';
import { runExperiment } from '../../src/lab/run.js';
import { availableCodecs } from '../../src/vmotion-protocol/transport/index.js';
import { netnsLack } from '../lab/lacks.js';
import { suite } from '../suite.js';

const test = suite('interop/run pipeline');
const missingLack = canCatchFaults() ? null : 'no userfaultfd here';
/** Pages travel encoded on TCP's page streams, and those need a kernel at both ends. */
const codecLack =
  netnsLack() ?? (availableCodecs(1e9)[0] === 'sparse' ? 'neither liblz4 nor libzstd here' : null);

/** Tries after which `auto` makes up its mind. */
const FIRST_WINDOW = 64;
const START = { 'start-after': '100ms' };
const GUEST = { memory: '8MiB', dirty: 'uniform:2MB/s', 'hot-set': '1MiB' } as const;

function run(input: ExperimentInput): Promise<RunResult> {
  const small: ExperimentInput = {
    seed: 11,
    probe: { count: 10 },
    guest: GUEST,
    clients: [{ site: 'b' }],
    migration: START,
  };
  return runExperiment(experimentFrom({ ...small, ...input }), {
    onEvent: () => {},
    signal: new AbortController().signal,
  });
}

/** The figures of the only move, which completed with all pages proved. */
function pipelineOf({ migrations }: RunResult): PipelineResult {
  const m = migrations[0]!;
  assert.is(m.outcome, 'completed', JSON.stringify(m.reason));
  assert.is(m.memoryIdentical, true);
  for (const c of m.clients) assert.is(c.wrong + c.resets, 0, `${c.site} ${c.kind}`);
  const p = m.pipeline!;
  const parts = [p.zero, p.dedup, p.delta, p.compress];
  const { raw, zero, same, delta, compressed } = p.pagesByEncoding;
  assert.is(raw + zero + same + delta + compressed, p.pages);
  assert.equal(
    parts.map((t) => t.hits),
    [zero, same, delta, compressed],
  );
  assert.is(
    p.pages * PAGE_SIZE,
    p.bytes + parts.reduce((sum, t) => sum + t.savedBytes, 0),
    'every byte was sent or saved',
  );
  const served = m.postcopy === null ? 0 : m.postcopy.pagesDemanded + m.postcopy.pagesPushed;
  const again = m.postcopy?.pagesAgain ?? 0;
  assert.is(p.pages, m.pagesSent + m.zeroPages + served + again, 'every page that was sent is accounted for');
  return p;
}

for (const mode of ['precopy', 'hybrid', 'postcopy'] as const) {
  test.when(
    codecLack ?? (mode === 'precopy' ? null : missingLack),
    `200 Mbit/s, text, ${mode}: auto compresses`,
    async () => {
      const result = await run({
        fiber: { rate: '200Mbit' },
        guest: { ...GUEST, fill: 'text' },
        migration: { ...START, mode },
      });
      const p = pipelineOf(result);
      assert.ok(p.codec !== null, 'a codec was agreed on');
      // How many depends on how fast this machine is now; but what is only tried ends with the first window.
      const { compressed } = p.pagesByEncoding;
      assert.ok(compressed > 2 * FIRST_WINDOW, `${compressed} of ${p.pages} pages`);
      assert.ok(
        p.compress.savedBytes > compressed * PAGE_SIZE * 0.2,
        'text gets shorter by more than a fifth',
      );
      assert.ok(p.compress.cpuNs > 0);
    },
  );
}

test.when(codecLack, 'all fixed on: contents, deltas and blocks at once, on three streams', async () => {
  const result = await run({
    fiber: { rate: '200Mbit' },
    guest: { ...GUEST, fill: 'mix', dirty: 'uniform:20MB/s' },
    migration: { ...START, mode: 'precopy', streams: 3, compress: 'on', delta: 'on', dedup: 'on' },
  });
  const p = pipelineOf(result);
  assert.ok(p.pagesByEncoding.compressed > 500);
  assert.ok(p.pagesByEncoding.delta > 0, 'pages that were written a little travel as what changed');
});

test.run();
