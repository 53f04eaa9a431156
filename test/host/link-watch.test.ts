import * as assert from 'uvu/assert';
import { LinkWatch } from '../../src/host/link-watch.js';
import { suite } from '../suite.js';

const test = suite('host/link watch');
const MS = 1_000_000;

test('before the first word nothing is watched', () => {
  const w = new LinkWatch();
  assert.is(w.nextWakeNs(), Number.POSITIVE_INFINITY);
  assert.is(w.poll(3600_000 * MS), 'wait');
});

test('a fiber that is dead is noticed 1.9 s after the last word, and dialled at once', () => {
  const w = new LinkWatch();
  w.heard(0);
  assert.is(w.poll(399 * MS), 'wait');
  assert.is(w.poll(400 * MS), 'ask');
  assert.is(w.poll(1899 * MS), 'wait');
  assert.is(w.poll(1900 * MS), 'lost');
  w.broke(1900 * MS);
  assert.is(w.poll(1900 * MS), 'dial');
  assert.is(w.nextWakeNs(), 2900 * MS);
});

test('a word answers the question', () => {
  const w = new LinkWatch();
  w.heard(0);
  assert.is(w.poll(500 * MS), 'ask');
  w.heard(900 * MS);
  assert.is(w.poll(1299 * MS), 'wait');
  assert.is(w.poll(1300 * MS), 'ask');
});

test('a process that was stopped asks first, and hears what had come, before it gives the link up', () => {
  const w = new LinkWatch();
  w.heard(0);
  assert.is(w.poll(60_000 * MS), 'ask');
  assert.is(w.poll(61_499 * MS), 'wait');
});

test('attempts that fail wait twice as long each time, a second at most; a word begins anew', () => {
  const w = new LinkWatch();
  w.heard(0);
  let nowNs = 0;
  const waits: number[] = [];
  for (let i = 0; i < 8; i++) {
    w.broke(nowNs);
    waits.push((w.nextWakeNs() - nowNs) / MS);
    nowNs = w.nextWakeNs();
    assert.is(w.poll(nowNs), 'dial');
  }
  assert.equal(waits, [0, 50, 100, 200, 400, 800, 1000, 1000]);
  w.heard(nowNs);
  w.broke(nowNs);
  assert.is(w.nextWakeNs(), nowNs);
});

test('a dial that nobody answers is given up after a second', () => {
  const w = new LinkWatch();
  w.broke(0);
  assert.is(w.poll(0), 'dial');
  assert.is(w.poll(999 * MS), 'wait');
  assert.is(w.poll(1000 * MS), 'lost');
});

test.run();
