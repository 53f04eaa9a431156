/**
 * A real machine moved there and back: kernel TCP connections with its own TCP stack stay, byte for byte; and what is
 * refused before anything is made.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { isLonghaulError } from '../../src/core/index.js';
import { experimentFrom } from '../../src/lab/config/experiment-file.js';
import type { ExperimentInput } from '../../src/lab/config/experiment-keys.js';
import type { RunResult } from '../../src/lab/result.js';
import { runExperiment } from '../../src/lab/run.js';
import { suite } from '../suite.js';
import { children } from './children.js';
import { netnsLack } from './lacks.js';

const test = suite('lab/run-pc');

async function run(input: ExperimentInput): Promise<RunResult> {
  const hooks = { onEvent: () => {}, signal: new AbortController().signal };
  const result = await runExperiment(experimentFrom(input), hooks);
  assert.equal(children(), [], 'every child has ended');
  return result;
}

async function refusal(input: ExperimentInput): Promise<string> {
  try {
    await run(input);
  } catch (e) {
    if (isLonghaulError(e)) return `${e.code}: ${e.message}`;
    throw e;
  }
  return 'none';
}

for (const attach of ['netns', 'loopback'] as const) {
  const sessions = attach === 'netns' ? ['icmp', 'tcp-counter', 'tcp-echo'] : ['icmp', 'udp-echo'];
  test.when(
    attach === 'netns' ? netnsLack() : null,
    `${attach}: a machine moves there and back, and no session loses, repeats or changes anything`,
    async () => {
      const result = await run({
        attach,
        seed: 7,
        guest: { kind: 'pc', memory: '16MiB', dirty: 'uniform:5MB/s' },
        migration: { repeat: 2, between: '100ms' },
      });
      assert.is(result.migrations.length, 2);
      for (const m of result.migrations) {
        assert.is(m.outcome, 'completed', JSON.stringify(m.reason));
        assert.is(m.memoryIdentical, true);
        for (const c of m.clients) {
          assert.ok(c.answered > 0, `${c.kind} was answered`);
          const { lost, duplicated, wrong, bytesWrong, resets } = c;
          assert.equal(
            { lost, duplicated, wrong, bytesWrong, resets },
            { lost: 0, duplicated: 0, wrong: 0, bytesWrong: 0, resets: 0 },
            `${c.site} ${c.kind}`,
          );
        }
      }
      const seen = result.migrations[0]!.clients.filter((c) => c.site === 'a').map((c) => c.kind);
      assert.equal(seen.sort(), sessions);
      const said = result.notes.filter((note) => note.includes('attach netns'));
      assert.is(
        said.length,
        attach === 'netns' ? 0 : 1,
        'without a kernel network it says what is not tried',
      );
    },
  );
}

test('an image that is missing, broken or too large is refused before anything is made', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'longhaul-image-'));
  try {
    const broken = join(dir, 'broken');
    writeFileSync(broken, 'no image');
    const pc = (guest: Partial<NonNullable<ExperimentInput['guest']>>): ExperimentInput => ({
      guest: { kind: 'pc', ...guest },
    });
    assert.match(await refusal(pc({ image: join(dir, 'absent') })), /^GUEST_IMAGE_MISSING: /);
    assert.match(await refusal(pc({ image: broken })), /^GUEST_IMAGE_INVALID: .* no multiboot header/);
    assert.match(await refusal(pc({ image: dir })), /^GUEST_IMAGE_MISSING: /);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});

test('what a machine cannot be is refused where it was said', () => {
  const why = (input: ExperimentInput): string => {
    try {
      experimentFrom(input);
    } catch (e) {
      return (e as Error).message;
    }
    return 'none';
  };
  assert.match(why({ guest: { kind: 'pc', dirty: 'zipf:5MB/s' } }), 'idle, sweep and uniform');
  assert.match(why({ guest: { kind: 'pc', memory: '2MiB' } }), '4MiB..1GiB');
  assert.match(why({ guest: { kind: 'pc' }, attach: 'sim' }), 'virtual time has no machines');
  assert.match(
    why({ guest: { kind: 'pc' }, migration: { 'memory-backing': '/dev/shm' } }),
    'cannot be a file',
  );
  assert.match(why({ guest: { cmdline: 'dirty=5' } }), 'is for guests of kind pc');
  assert.is(experimentFrom({ guest: { kind: 'pc' } }).guest.memoryBytes, 64 * 2 ** 20);
});

test.run();
