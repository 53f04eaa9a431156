/** Post-copy and hybrid by both machines on a virtual clock, with faults at any message. */
import * as assert from 'uvu/assert';
import { predictivePolicy } from '../../src/vmotion-protocol/index.js';
import { suite } from '../suite.js';
import { Pair, type PairOptions } from './pair.js';
import { checkRules, guestAt } from './pair-rules.js';

const test = suite('vmotion-protocol/source and destination in post-copy');
const US = 1000;

/** Rounds that do not help, and a pause that carries few pages: most is missing when the guest starts. */
const busy = (over: Partial<PairOptions> = {}) =>
  new Pair({
    seed: 'good',
    mode: 'hybrid',
    pages: 120,
    writesPerMs: 200,
    policy: predictivePolicy({ targetPauseNs: 100 * US, roundsMax: 4 }),
    ...over,
  });

test('post-copy and hybrid: the guest starts with pages missing and ends with all of them, each sent once', () => {
  for (const mode of ['post-copy', 'hybrid'] as const) {
    const p = busy({ mode, seed: mode }).run();
    assert.is(p.sourceOutcome, 'completed');
    assert.is(guestAt(p), 'b');
    assert.ok(p.sentTypes.includes('complete'));
    assert.ok(p.served > 20 && p.servedTwice === 0, `${p.served} pages were served`);
    assert.ok(p.stalledTicks > 0, 'the guest stood at some of them');
    assert.is(p.hashesMatched, p.pages, 'each page is proved as it was placed');
    assert.equal(p.a.records, ['COMMIT', 'ENDED']);
  }
});

test('the pause of a busy hybrid guest is one one-way trip and a few pages, whatever is dirty', () => {
  const precopy = busy({ mode: 'pre-copy' }).run();
  const hybrid = busy().run();
  assert.ok(hybrid.pauseNs < 550 * US, `${hybrid.pauseNs} ns`);
  assert.ok(hybrid.pauseNs < precopy.pauseNs);
});

test('post-copy, cut at every message: never two copies, nothing lost; over a new link it ends, and sends nothing twice', () => {
  for (const mode of ['post-copy', 'hybrid'] as const) {
    const messages = busy({ mode }).run().messages;
    let waited = 0;
    for (let cutAt = 0; cutAt < messages; cutAt++) {
      const p = busy({ mode, cutAt }).run();
      const what = `${mode} cut at ${cutAt} (${p.sentTypes[cutAt]})`;
      checkRules(p, what);
      if (p.sourceOutcome === 'in-doubt') p.resolve();
      if (p.sourceOutcome === 'none') {
        waited++;
        p.reconnect();
      }
      checkRules(p, `${what}, healed`);
      assert.is.not(guestAt(p), 'nowhere', what);
      assert.is(p.servedTwice, 0, `${what}: a page that had come was sent again`);
      if (p.source.phase === 'over' && guestAt(p) === 'b') assert.is(p.missing.next(0), -1, what);
    }
    assert.ok(waited > 0, 'some cuts leave the guest waiting for pages');
  }
});

test('post-copy: either host dies at any message, and no second copy runs', () => {
  for (const mode of ['post-copy', 'hybrid'] as const) {
    const messages = busy({ mode }).run().messages;
    for (const side of ['a', 'b'] as const) {
      for (let at = 0; at < messages; at++)
        checkRules(busy({ mode, crash: { side, at } }).run(), `${mode} ${side} at ${at}`);
    }
  }
});

test('a page of the flight that changed on its way, in hybrid: NACK, and the guest goes on at the source', () => {
  const p = busy({ corrupt: 'final', framesPerMs: 10 }).run();
  assert.is(p.sourceOutcomes[0]!.code, 'VMOTION_VERIFY_FAILED');
  assert.is(guestAt(p), 'a');
  assert.equal(p.b.records, ['NEVER']);
});

test('pages missed in any round, the last one too, are never taken for present: every mode ends with all of them', () => {
  for (const mode of ['pre-copy', 'hybrid'] as const) {
    for (let n = 0; n < 20; n++) {
      const p = busy({ mode, seed: `missed ${n}`, missProb: 0.2, writesPerMs: n % 2 === 0 ? 200 : 5 }).run();
      const what = `${mode} ${n}`;
      checkRules(p, what);
      assert.is(p.sourceOutcome, 'completed', what);
      assert.is(guestAt(p), 'b', what);
      assert.ok(p.missed > 0, what);
      assert.is(p.hashesMatched, p.pages, what);
    }
  }
});

test.run();
