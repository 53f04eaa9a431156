import * as assert from 'uvu/assert';
import { linesOf, startProgress } from '../../src/cli/progress.js';
import type { RunEvent } from '../../src/lab/run-events.js';
import { sampleMigration } from '../report/sample-result.js';
import { suite } from '../suite.js';
import { fakeStream } from './fake-stream.js';

const test = suite('cli/progress');

const PAGES: RunEvent = {
  type: 'pages',
  migration: 0,
  round: 0,
  pagesSent: 100,
  pagesTotal: 200,
  rateBps: 5e9,
};
const ROUND: Extract<RunEvent, { type: 'round' }> = {
  type: 'round',
  migration: 0,
  round: 1,
  pagesSent: 4000,
  pagesTotal: 4100,
  bytes: 16_400_000,
  throughputBps: 6.1e9,
  predictedPauseNs: 2_100_000,
  etaNs: 21_000_000,
  confidence: 0.8,
  verdict: 'continue: rounds help',
};

test('an event is one line for people', () => {
  const line = (event: RunEvent) => linesOf(event).join('|');
  assert.is(
    line({ type: 'phase', migration: 1, phase: 'pre-copy', from: 'b', to: 'a' }),
    'move 2 (b→a) copying memory while the guest runs',
  );
  assert.is(
    line(ROUND),
    'move 1 round 1: 4000 of 4100 pages, 15.6 MiB at 6.10 Gbit/s, pause would be 2.10 ms (confidence 80 %), ETA 21.0 ms; continue: rounds help',
  );
  assert.is(
    line({ ...ROUND, etaNs: Number.POSITIVE_INFINITY, predictedPauseNs: Number.POSITIVE_INFINITY }),
    'move 1 round 1: 4000 of 4100 pages, 15.6 MiB at 6.10 Gbit/s, target not in sight; continue: rounds help',
  );
  assert.is(
    line({ ...ROUND, predictedPauseNs: Number.NaN, etaNs: 0, confidence: null, verdict: null }),
    'move 1 round 1: 4000 of 4100 pages, 15.6 MiB at 6.10 Gbit/s',
  );
  assert.is(
    line({ type: 'migration', migration: 0, of: 3, result: sampleMigration(0) }),
    'move 1 of 3 (a→b) completed after 345 ms, pause 900 µs',
  );
  assert.is(line(PAGES), '');
});

test('without a terminal: plain lines, no bar, no flood', () => {
  const err = fakeStream();
  const progress = startProgress(err.stream, { live: false, quiet: false });
  for (let i = 0; i < 100; i++) progress.onEvent(PAGES);
  progress.onEvent(ROUND);
  progress.stop();
  assert.is(err.text().split('\n').length, 2);
  assert.not.match(err.text(), '\x1b');
});

test('on a terminal: a bar with pages, rate and ETA that steps aside for lines', () => {
  const err = fakeStream(true);
  const progress = startProgress(err.stream, { live: true, quiet: false });
  progress.onEvent({ type: 'phase', migration: 0, phase: 'pre-copy', from: 'a', to: 'b' });
  progress.onEvent(PAGES);
  assert.match(err.text(), 'move 1 pre-copy round 0');
  assert.match(err.text(), '50%  100/200 pages  5.00 Gbit/s');
  progress.onEvent(ROUND);
  progress.onEvent({ ...PAGES, round: 2 });
  progress.stop();
  progress.stop();
  assert.match(err.text(), 'ETA 21.0 ms');
  assert.ok(
    err.text().lastIndexOf('\x1b[?25h') > err.text().lastIndexOf('\x1b[?25l'),
    'the cursor is shown again',
  );
});

test.run();
