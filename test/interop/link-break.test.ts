/** The fiber is cut in the middle of whole moves: nothing ends by it, and nothing that had come is sent again. */
import * as assert from 'uvu/assert';
import { canCatchFaults } from '../../src/host/index.js';
import { experimentFrom } from '../../src/lab/config/experiment-file.js';
import type { ExperimentInput } from '../../src/lab/config/experiment-keys.js';
import type { MigrationResult, RunResult } from '../../src/lab/result.js';
import { runExperiment } from '../../src/lab/run.js';
import { children } from '../lab/children.js';
import { suite } from '../suite.js';

const test = suite('interop/link break');
const missingLack = canCatchFaults() ? null : 'no userfaultfd here';

async function move(migration: ExperimentInput['migration'], input: ExperimentInput): Promise<RunResult> {
  const result = await runExperiment(
    experimentFrom({
      seed: 11,
      guest: { memory: '32MiB', fill: 'random', dirty: 'uniform:5MB/s', 'hot-set': '8MiB' },
      fiber: { rate: '400Mbit' },
      clients: [{ site: 'a', service: '10ms' }],
      probe: { count: 10 },
      migration: { 'start-after': '200ms', limit: '30s', ...migration },
      ...input,
    }),
    { onEvent: () => {}, signal: new AbortController().signal },
  );
  assert.equal(children(), [], 'every child has ended');
  return result;
}

function assertMoved(result: RunResult): MigrationResult {
  const [m] = result.migrations;
  const story = result.timeline.map((e) => `${(e.atNs / 1e6).toFixed(1)} ${e.where}: ${e.what}`).join('\n');
  assert.is(m!.outcome, 'completed', `${JSON.stringify(m!.reason)}\n${story}`);
  assert.is(m!.memoryIdentical, true, story);
  assert.is(m!.linkBreaks, 1, story);
  assert.is(result.fabric?.closes, true);
  for (const what of [/^fiber cut in/, /^fiber mended/, /^the link was away/])
    assert.ok(
      result.timeline.some((e) => what.test(e.what)),
      `${what} in\n${story}`,
    );
  for (const c of m!.clients) {
    assert.ok(c.answered > 0);
    assert.is(c.wrong + c.resets + c.duplicated, 0, JSON.stringify(c));
  }
  return m!;
}

/** Longer than it takes to notice that nothing comes any more. */
const CUT = '2500ms';

test('cut in pre-copy: only what was under way goes again', async () => {
  const m = assertMoved(await move({ mode: 'precopy', cut: `${CUT}@precopy` }, {}));
  // What a sender has handed over lies in socket buffers and the fiber's queue: never all of it.
  assert.ok(m.pagesResent > 0 && m.pagesResent < 8192, `${m.pagesResent} pages went again`);
  for (const c of m.clients) assert.is(c.lost, 0, 'the guest ran on at the site of its client');
});

test.when(missingLack, 'cut in post-copy: the guest waits, and only what lacks is served', async () => {
  const m = assertMoved(await move({ mode: 'postcopy', cut: `${CUT}@postcopy` }, {}));
  const { pagesMissing, pagesDemanded, pagesPushed } = m.postcopy!;
  assert.is(pagesDemanded + pagesPushed, pagesMissing + m.pagesResent, 'nothing that had come went again');
  assert.ok(m.pagesResent < pagesMissing, `${m.pagesResent} of ${pagesMissing}`);
});

test('loopback: cut in the switchover: FINAL goes again over our own transport, and the guest moves', async () => {
  const result = await move({ cut: `${CUT}@switchover` }, { attach: 'loopback' });
  const m = assertMoved(result);
  assert.ok(
    result.timeline.some((e) => e.what === 'committed → in-doubt'),
    'nobody knew',
  );
  assert.ok(m.pauseNs! > 1e9, 'the guest stood as long as nobody knew');
});

test.run();
