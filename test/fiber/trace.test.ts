import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { ConfigError } from '../../src/core/index.js';
import { parseTrace, type TracePlayback, traceTrack } from '../../src/fiber/index.js';
import { suite } from '../suite.js';

const test = suite('fiber/trace');
const MS = 1_000_000;
const STEPS: TracePlayback = { direction: 'a-b', atEnd: 'hold', interpolateNs: null };

const TEXT = `# measured on a Tuesday
time[s], one-way[ms], rate, loss
100,     12.5,        90Mbit, 0%

110,     ,            unlimited, 0.1%   # the delay stays
120.5,   13.1,        80Mbit,
`;

test('rows are read with the units of their header or their own, times from the first row', () => {
  assert.equal(parseTrace(TEXT, 't.csv'), [
    { atNs: 0, set: { oneWayNs: 12.5 * MS, rateBps: 90e6, lossProb: 0 } },
    { atNs: 10_000 * MS, set: { rateBps: Number.POSITIVE_INFINITY, lossProb: 0.001 } },
    { atNs: 20_500 * MS, set: { oneWayNs: 13.1 * MS, rateBps: 80e6 } },
  ]);
  assert.equal(parseTrace('time (ms),delay\n0,1us\n1,2us', 't'), [
    { atNs: 0, set: { oneWayNs: 1_000 } },
    { atNs: MS, set: { oneWayNs: 2_000 } },
  ]);
});

test('rows are steps; the last holds', () => {
  const track = traceTrack(parseTrace(TEXT, 't.csv'), { ...STEPS, span: 2 }, 't.csv');
  assert.is(track.repeatNs, null);
  assert.equal(track.entries[1], {
    atNs: 10_000 * MS,
    direction: 'a-b',
    span: 2,
    set: { rateBps: Number.POSITIVE_INFINITY, lossProb: 0.001 },
  });
});

test('the delay goes straight from row to row, over rows that leave it out', () => {
  const rows = parseTrace('time[ms],one-way[us],loss\n0,100,0\n10,,50%\n20,300,\n30,0,', 't');
  const track = traceTrack(rows, { ...STEPS, interpolateNs: 5 * MS }, 't');
  const delays = track.entries.flatMap(({ atNs, set }) =>
    set.oneWayNs === undefined ? [] : [[atNs / MS, set.oneWayNs]],
  );
  assert.equal(delays, [
    [0, 100_000],
    [5, 150_000],
    [10, 200_000],
    [15, 250_000],
    [20, 300_000],
    [25, 150_000],
    [30, 0],
  ]);
  assert.equal(
    track.entries.filter((e) => e.set.lossProb !== undefined).map((e) => e.atNs / MS),
    [0, 10],
  );
});

test('a loop lasts as long as its rows, the last like the one before it', () => {
  const loop = { ...STEPS, atEnd: 'loop' } as const;
  assert.is(traceTrack(parseTrace('time,loss\n0s,0\n3s,1', 't'), loop, 't').repeatNs, 6e9);
  assert.is(traceTrack(parseTrace('time,loss\n7s,0', 't'), loop, 't').repeatNs, 1e9);
});

function lineOf(text: string): string {
  try {
    parseTrace(text, 't.csv');
  } catch (e) {
    assert.instance(e, ConfigError);
    return (e as ConfigError).line();
  }
  throw new Error('was accepted');
}

test('what is wrong is named with its line and column', () => {
  assert.match(lineOf(''), 'FIBER_TRACE: t.csv has no row');
  assert.match(lineOf('time,one-way\n'), 't.csv has no row');
  assert.match(lineOf('rate\n1bit\n'), 't.csv:1 has no column time');
  assert.match(lineOf('time,jitter\n'), 't.csv:1 has no such column as "jitter"');
  assert.match(lineOf('time,delay,one-way\n'), 't.csv:1 names a column twice');
  assert.match(lineOf('time,loss\n0s,0\n1s\n'), 't.csv:3 has 1 cells and the header 2');
  assert.match(lineOf('time,loss\n,0\n'), 't.csv:2 has no time');
  assert.match(lineOf('time,loss\n1s,0\n1s,0\n'), 't.csv:3 is not later than the row before it');
  assert.match(lineOf('time,loss\n1,0\n'), 'CORE_UNIT_SYNTAX: t.csv:2: time "1" is not a duration');
  assert.match(lineOf('time,one-way\n0s,5\n'), 't.csv:2: one-way "5" is not a duration');
  assert.match(lineOf('time,loss\n0s,2\n'), 'CORE_UNIT_RANGE: t.csv:2: loss 2 is outside 0..1');
  assert.match(lineOf('time,rate\n0s,5bit\n'), 'FIBER_RATE_RANGE: t.csv:2: rate 5 bit/s');
  assert.throws(
    () => traceTrack(parseTrace('time,delay\n0s,1s\n1000s,2s', 't'), { ...STEPS, interpolateNs: 1_000 }, 't'),
    (e: ConfigError) => e.code === 'FIBER_TRACE',
  );
});

test('any text is a trace or a ConfigError', () => {
  const cell = fc.constantFrom('0', '1s', '', 'x', '5%', '1Gbit', '2ms', '-1', '1e9');
  const rows = fc.array(fc.array(cell, { minLength: 1, maxLength: 4 }).map((cells) => cells.join(',')));
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        rows.map((r) => `time,one-way,rate,loss\n${r.join('\n')}`),
      ),
      (text) => {
        try {
          parseTrace(text, 't');
        } catch (e) {
          assert.instance(e, ConfigError);
        }
      },
    ),
    { numRuns: 500 },
  );
});

test.run();
