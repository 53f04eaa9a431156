import * as assert from 'uvu/assert';
import { summarize } from '../../src/report/index.js';
import { suite } from '../suite.js';
import { sampleMigration, sampleResult } from './sample-result.js';

const test = suite('report/summary');

test('one move, to the letter', () => {
  assert.is(
    summarize(sampleResult(1)),
    `metro-80km · netns · seed 7 · measured · longhaul 0.1.0+e3ef308
  guest  256 MiB, filled mix, uniform 50 MB/s
  fiber  a→b 400 µs one way, 10.0 Gbit/s, no loss
         b→a 400 µs one way, 10.0 Gbit/s, no loss

Round trip through the fiber (ICMP by raw-socket, 250 probes, 0 lost, target 1.00 ms)
  p50 868 µs   p99 990 µs   min 842 µs   max 1.07 ms

Moves
  move       outcome     total  rounds  on the wire   throughput  of link   pause  memory
     1  a→b  completed  345 ms       1      220 MiB  5.36 Gbit/s     54 %  900 µs  identical

Pause in its parts (target 1.00 ms; 30 pages in it)
  stop             15.0 µs
  harvest           130 µs
  save state       5.00 µs
  record commit    2.00 µs
  send             40.0 µs
  propagate         450 µs
  apply             120 µs
  verify           60.0 µs
  record running   3.00 µs
  start            75.0 µs
  pause             900 µs
  announce, after  30.0 µs

Page pipeline (1 move)
  271 MiB of pages as 207 MiB: zero pages saved 64.0 MiB; 10.3 ms of CPU

What the clients saw (RTT by where the guest stood)
  site  session   sent  answered  lost  repeated  wrong  resets  longest gap  RTT at a     at b
  a     icmp       150       150     0         0      0       0      12.4 ms   80.0 µs   905 µs
  a     service  1 500     1 500     0         0      0       0      3.20 ms   90.0 µs   910 µs
  b     service  1 500     1 500     0         0      0       0      3.20 ms    920 µs  95.0 µs

How far to trust it
  late    p50 4.00 µs, p99 38.0 µs, p99.9 120 µs, max 900 µs over 1 234 567 releases
  cores   this run 1.2 of 2, others 0.1, stolen 0.0
  memory  host a 380 MiB of 416 MiB, fabric 90.0 MiB

Verdict
  pass  round trip 868 µs (p50) is under the target of 1.00 ms
  pass  the move completed
  pass  memory identical, page by page
  pass  pause 900 µs is within the target of 1.00 ms
  pass  sessions kept: no answer lost, repeated or wrong; longest gap 12.4 ms
  pass  the fabric's accounting closes`,
  );
});

test('twenty moves: the first, the last, any that did not complete, and medians', () => {
  const result = sampleResult(20);
  result.migrations[12] = sampleMigration(12, {
    outcome: 'stayed',
    guestAt: 'a',
    pauseNs: null,
    pauseParts: null,
  });
  const text = summarize(result);
  const rows = text.split('\n').filter((l) => /^ +\d+ {2}[ab]→[ab]/.test(l));
  assert.equal(
    rows.map((l) => Number(l.slice(0, 6))),
    [1, 2, 3, 4, 5, 6, 7, 8, 13, 17, 18, 19, 20],
  );
  assert.is(text.split('\n').filter((l) => l.trim() === '…').length, 2);
  assert.match(text, /p50 {7}19 completed .* 1\.80 ms/);
  assert.match(text, /pause {12}1\.80 ms {2}2\.80 ms {2}2\.80 ms/);
  assert.match(text, 'over 19 moves');
  assert.match(text, /a {5}service {2}30 000 {4}30 000 .* 90\.0 µs {3}910 µs/);
});

test('no line passes 100 columns, none trails a space', () => {
  const notes = [`a note that goes on${' and on'.repeat(40)}`];
  for (const line of summarize(sampleResult(20, { notes })).split('\n')) {
    assert.ok(line.length <= 100, line);
    assert.is(line, line.trimEnd());
  }
});

test('what was not measured is left out, not invented', () => {
  const text = summarize(
    sampleResult(0, { rtt: null, lateness: null, fabric: null, processors: null, memoryPeaks: [] }),
  );
  for (const title of ['Moves', 'Pause', 'clients', 'Round trip', 'trust']) assert.not.match(text, title);
  assert.match(text, 'miss  the round trip was not measured');
});

test('an unlimited fiber has no share of the link; loss is said', () => {
  const result = sampleResult(1);
  const span = result.experiment.fiber.spans[0]!;
  span.aToB = { ...span.aToB, rateBps: null, lossProb: 0.0001 };
  const text = summarize(result);
  assert.match(text, 'a→b 400 µs one way, unlimited, loss 0.01 %');
  assert.match(text, /5\.36 Gbit\/s {8}–/);
});

test('colour changes no letter', () => {
  const plain = summarize(sampleResult(3));
  const coloured = summarize(sampleResult(3), { colour: true });
  assert.is.not(coloured, plain);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are the codes under test
  assert.is(coloured.replace(/\x1b\[\d+m/g, ''), plain);
});

test.run();
