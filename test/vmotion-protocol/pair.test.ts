import * as assert from 'uvu/assert';
import { suite } from '../suite.js';
import { Pair, type PairOptions } from './pair.js';
import { checkRules, guestAt } from './pair-rules.js';

const test = suite('vmotion-protocol/source and destination');
const US = 1000;
const MS = 1_000_000;

const good = (over: Partial<PairOptions> = {}) => new Pair({ seed: 'good', ...over });

test('the good path: the guest moves, whole, and its memory is proved page by page', () => {
  const p = good().run();
  assert.equal(
    p.sourceOutcomes.map((o) => o.code),
    ['VMOTION_OK'],
  );
  assert.equal(
    p.destinationOutcomes.map((o) => `${o.outcome} ${o.code}`),
    ['running VMOTION_OK'],
  );
  assert.is(guestAt(p), 'b');
  assert.is(p.hashesMatched, p.pages);
  assert.equal(p.a.records, ['COMMIT', 'ENDED']);
  assert.equal(p.b.records, ['RUNNING']);
});

test('one one-way trip lies between pause and run: the pause in exact nanoseconds', () => {
  const p = good({ writesPerMs: 0 }).run();
  // park 10 µs, harvest and save side by side 10, COMMIT 10, FINAL 400; verify 10, load 10, RUNNING 10, start 10.
  assert.is(p.pauseNs, 470 * US);
});

test('the messages of the good path, in order', () => {
  const p = good({ writesPerMs: 0, pages: 10 }).run();
  const types = p.sentTypes.join(' ').replace(/(ping )+(pong )+/, 'ping… ');
  assert.is(
    types,
    'offer accept ping… round-done arm round-done ready final started hashes hashes ended'.replace(
      'round-done ready',
      types.includes('ready round-done') ? 'ready round-done' : 'round-done ready',
    ),
  );
});

test('a guest under load moves too, with several rounds', () => {
  for (const seed of ['one', 'two', 'three']) {
    const p = good({ seed, pages: 2000, writesPerMs: 200 }).run();
    assert.is(p.sourceOutcome, 'completed');
    assert.is(guestAt(p), 'b');
    assert.ok(p.sentTypes.filter((t) => t === 'round-done').length >= 3, 'rounds');
  }
});

test('the same seed gives the same trace, another seed another', () => {
  const run = (seed: string) => good({ seed, framesPerMs: 10, writesPerMs: 100 }).run().trace;
  assert.equal(run('x'), run('x'));
  assert.not.equal(run('x'), run('y'));
});

test('the connection is cut at every message, for good: never two copies, and nobody gives the guest away', () => {
  const messages = good({ framesPerMs: 3 }).run().messages;
  const ends = new Map<string, number>();
  for (let cutAt = 0; cutAt < messages; cutAt++) {
    const p = good({ cutAt, framesPerMs: 3 }).run();
    checkRules(p, `cut at ${cutAt} (${p.sentTypes[cutAt]})`);
    const end = p.sourceOutcome === 'none' ? p.source.phase : p.sourceOutcome;
    ends.set(end, (ends.get(end) ?? 0) + 1);
  }
  for (const end of ['aborted', 'reconnecting', 'in-doubt', 'proving'])
    assert.ok(ends.has(end), `some cuts end ${end}`);
});

test('the connection is cut at every message and comes back: the guest moves, whole, and nothing is sent twice', () => {
  const load = { writesPerMs: 60 };
  const messages = good(load).run().messages;
  let resumed = 0;
  for (let cutAt = 0; cutAt < messages; cutAt++) {
    const p = good({ ...load, cutAt, healAfterNs: 20 * MS }).run();
    const what = `cut at ${cutAt} (${p.sentTypes[cutAt]})`;
    checkRules(p, what);
    assert.is(p.sentAgain, 0, `${what}: what had come was sent again`);
    const moved = p.sentTypes.indexOf('round-done') >= 0 && p.sentTypes.includes('resume');
    if (!moved) continue;
    resumed++;
    assert.is(p.sourceOutcome, 'completed', what);
    assert.is(guestAt(p), 'b', what);
    assert.is(p.hashesMatched >= p.pages, true, `${what}: proved`);
  }
  assert.ok(resumed > 5, `${resumed} cuts were taken up again`);
});

test('a doubt is settled by asking: afterwards exactly one copy runs, whole', () => {
  const messages = good().run().messages;
  let settled = 0;
  for (let cutAt = 0; cutAt < messages; cutAt++) {
    const p = good({ cutAt }).run();
    if (p.sourceOutcome !== 'in-doubt') continue;
    p.resolve();
    checkRules(p, `cut at ${cutAt}, resolved`);
    settled++;
    assert.is(p.sourceOutcome, 'completed');
    assert.is(guestAt(p), 'b');
  }
  assert.ok(settled >= 2, 'FINAL lost, STARTED lost');
});

test('any one message is lost without a word: timers end every wait, and the rules hold', () => {
  const messages = good().run().messages;
  for (let dropAt = 0; dropAt < messages; dropAt++) {
    const p = good({ dropAt }).run();
    checkRules(p, `dropped ${dropAt} (${p.sentTypes[dropAt]})`);
  }
});

test('either host dies at any message: the other never makes a second copy', () => {
  const messages = good().run().messages;
  for (const side of ['a', 'b'] as const) {
    for (let at = 0; at < messages; at++) {
      const p = good({ crash: { side, at } }).run();
      checkRules(p, `host ${side} dies at ${at} (${p.sentTypes[at]})`);
      if (side === 'a' && p.b.records.includes('RUNNING')) assert.is(guestAt(p), 'b', 'it goes on alone');
    }
  }
});

test('a page that changed on its way: NACK, and the guest goes on at the source with nothing lost', () => {
  for (const corrupt of ['final', 'round'] as const) {
    const p = good({ corrupt, writesPerMs: 100, framesPerMs: 10, seed: corrupt }).run();
    if (p.sourceOutcome === 'completed') {
      // The damaged page of an early round was dirty and went again: no harm.
      assert.is(corrupt, 'round');
      continue;
    }
    assert.equal(p.sourceOutcomes, [
      { ...p.sourceOutcomes[0]!, outcome: 'aborted', code: 'VMOTION_VERIFY_FAILED' },
    ]);
    assert.is(guestAt(p), 'a');
    assert.equal(p.a.records, ['COMMIT', 'ENDED']);
    assert.equal(p.b.records, ['NEVER']);
    assert.not.ok(p.announced);
  }
});

test('every frame reaches the guest once, in order of each path, through a move', () => {
  for (const seed of ['f1', 'f2', 'f3']) {
    const p = good({ seed, framesPerMs: 20, writesPerMs: 50 }).run(700 * MS);
    assert.is(p.sourceOutcome, 'completed');
    const got = [...p.a.frames, ...p.b.frames].sort((x, y) => x - y);
    assert.equal(
      got,
      Array.from({ length: got.length }, (_, i) => i + 1),
      'each one once',
    );
    assert.ok(p.framesSent - got.length <= 1, 'none is missing');
    assert.ok(p.b.frames.length > 0 && p.a.frames.length > 0);
  }
});

test('every frame reaches the guest once through a NACK, those that were forwarded included', () => {
  const p = good({ corrupt: 'final', framesPerMs: 20, writesPerMs: 100, seed: 'final' }).run();
  assert.is(p.sourceOutcome, 'aborted');
  const got = [...p.a.frames].sort((x, y) => x - y);
  assert.equal(
    got,
    Array.from({ length: got.length }, (_, i) => i + 1),
  );
  assert.ok(p.framesSent - got.length <= 1);
  assert.equal(p.b.frames, []);
});

test('records that cannot be written: no start without RUNNING, no NACK without NEVER, no FINAL without COMMIT', () => {
  const commit = good({ failRecords: ['COMMIT'] }).run();
  checkRules(commit, 'COMMIT fails');
  assert.is(guestAt(commit), 'a');
  assert.not.ok(commit.sentTypes.includes('final'));
  const running = good({ failRecords: ['RUNNING'] }).run();
  checkRules(running, 'RUNNING fails');
  assert.is(guestAt(running), 'a');
  const both = good({ failRecords: ['RUNNING', 'NEVER'] }).run();
  assert.is(both.sourceOutcome, 'in-doubt');
  assert.not.ok(both.sentTypes.includes('nack'));
  assert.is(guestAt(both), 'nowhere');
  const ended = good({ failRecords: ['ENDED'] }).run();
  assert.is(ended.sourceOutcome, 'completed');
});

test('a cancel at any instant: the guest stays before COMMIT, moves after it', () => {
  const whole = good().run();
  const endNs = whole.nowNs;
  const ends = new Set<string>();
  for (let i = 0; i < 120; i++) {
    const cancelAtNs = Math.round(MS + (i * endNs) / 120 / 2);
    const p = good({ cancelAtNs }).run();
    checkRules(p, `cancelled at ${cancelAtNs}`);
    ends.add(`${p.sourceOutcome} ${guestAt(p)}`);
  }
  for (let us = 0; us < 600; us += 5) {
    const finalNs = Number(whole.trace.find((l) => l.endsWith('a pause-guest'))!.split(' ')[0]);
    const p = good({ cancelAtNs: finalNs + us * US }).run();
    checkRules(p, `cancelled ${us} µs into the pause`);
    ends.add(`${p.sourceOutcome} ${guestAt(p)}`);
  }
  assert.equal([...ends].sort(), ['aborted a', 'completed b']);
});

test('far apart, slow, idle, busy: the guest moves or stays, whole', () => {
  for (const oneWayNs of [0, 400 * US, 50 * MS]) {
    for (const pageNs of [400, 40_000]) {
      for (const writesPerMs of [0, 20, 300]) {
        const p = good({ oneWayNs, pageNs, writesPerMs, seed: `${oneWayNs} ${pageNs} ${writesPerMs}` }).run();
        checkRules(p, `one way ${oneWayNs}, page ${pageNs}, ${writesPerMs} writes`);
        assert.is(p.sourceOutcome, 'completed');
      }
    }
  }
});

test.run();
