import { appendFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { parse } from 'yaml';
import { Rng } from '../../src/core/index.js';
import { experimentFrom } from '../../src/lab/config/experiment-file.js';
import { predictionOf, sensitivities, spreadOver, verdictOf, verify } from '../../src/tune/judge.js';
import { joined, parseObjective, scoresOf } from '../../src/tune/objective.js';
import { tunedInput } from '../../src/tune/outputs.js';
import {
  applied,
  type Candidate,
  candidateName,
  drawCandidates,
  parametersFor,
  trimmed,
  variationsOf,
} from '../../src/tune/space.js';
import { Trail } from '../../src/tune/trail.js';
import { suite } from '../suite.js';

const test = suite('tune/tune');
const base = experimentFrom({ fiber: { profile: 'wan-100ms' } });
const parameters = parametersFor(1e9);
const figures = (pause: number[], total: number[]) => ({ pause, total, bytes: total, gap: pause });

test('an objective is one aspect or weights of several; other words are refused with what may be said', () => {
  assert.equal(parseObjective('pause=2,total').weights, { pause: 2, total: 1 });
  for (const bad of ['speed', 'pause=0', 'pause=2=3', '', 'pause=x'])
    assert.throws(
      () => parseObjective(bad),
      (e: Error) => /neither one of pause, total, bytes, gap/.test(e.message),
    );
  const both = scoresOf(parseObjective('pause=3,total=1'), figures([2], [16]), figures([1], [1]));
  assert.ok(Math.abs(both[0]! - (2 ** 3 * 16) ** 0.25) < 1e-12);
  assert.equal(joined([figures([1], [2]), figures([3], [4])]).pause, [1, 3]);
});

test('candidates: the default first, each mode, no two alike, the same for the same seed, all of them runnable', () => {
  const drawn = drawCandidates(parameters, base.migration, 60, 7);
  assert.is(drawn.length, 60);
  assert.equal(drawn, drawCandidates(parameters, base.migration, 60, 7));
  assert.is(candidateName(drawn[0]!), 'default');
  assert.is(new Set(drawn.map(candidateName)).size, 60);
  assert.ok(drawn.some((c) => candidateName(c) === 'mode postcopy'));
  for (const candidate of [
    ...drawn,
    ...variationsOf({ mode: 'precopy', streams: 4 }, parameters, base.migration),
  ]) {
    const again = experimentFrom(
      parse(JSON.stringify(tunedInput({ fiber: { profile: 'wan-100ms' } }, candidate))),
    );
    assert.equal(again.migration, applied(base, candidate).migration, candidateName(candidate));
  }
});

test('what a mode never looks at tells no two candidates apart', () => {
  const one = trimmed(
    { mode: 'postcopy', maxRounds: 3, pauseTargetNs: 3_000_000, streams: 1 },
    base.migration,
  );
  assert.equal(one, { mode: 'postcopy' });
});

test('the parameter that made the difference is found, the others explain nothing', () => {
  const rng = new Rng('tune');
  const drawn = drawCandidates(parameters, base.migration, 60, 3);
  const scored = drawn.map((candidate) => ({
    candidate,
    score: (candidate.mode === 'postcopy' ? 0.5 : 1) * (1 + 0.02 * rng.float()),
  }));
  const [first, ...others] = sensitivities(scored, parameters, base.migration);
  assert.is(first!.name, 'mode');
  assert.is(first!.values[0]!.value, 'postcopy');
  assert.ok(first!.share > 0.95, `${first!.share}`);
  for (const other of others) assert.ok(other.share < 0.5, `${other.name} ${other.share}`);
});

test('seven candidates over the range hold the best and the worst', () => {
  const scored = (scores: readonly number[]) => scores.map((score) => ({ candidate: {}, score }));
  const taken = (scores: readonly number[]) => spreadOver(scored(scores), 7).map((s) => s.score);
  assert.equal(taken(Array.from({ length: 13 }, (_, i) => 2 ** i)), [1, 4, 16, 64, 256, 1024, 4096]);
  assert.equal(taken([1, 2]), [1, 2]);
  const rows = [1, 2, 3].map((v) => ({ name: `${v}`, predicted: v, measured: v * v }));
  assert.is(predictionOf(rows).rankCorrelation, 1);
  assert.is(predictionOf(rows.slice(0, 2)).rankCorrelation, null);
});

test('of candidates most of which hardly differ, the seven were all of the crowd: they are spread over the scores', () => {
  const crowd = Array.from({ length: 60 }, (_, i) => 1 + i / 10_000);
  const others = [2, 4, 8, 16];
  const taken = spreadOver(
    [0.5, ...crowd, ...others].map((score) => ({ candidate: {}, score })),
    7,
  ).map((s) => s.score);
  assert.is(taken.length, 7);
  assert.equal(new Set(taken).size, 7);
  for (const score of [0.5, ...others]) assert.ok(taken.includes(score), `${score}`);
});

test('a gain is one that is no noise; else the default stays, and the words say how sure that is', () => {
  const rng = new Rng('verdict');
  const moves = (middle: number, noise = 0.02): number[] =>
    Array.from({ length: 30 }, () => middle * (1 + noise * (rng.float() - 0.5)));
  const judged = (...middles: readonly number[]) =>
    verdictOf(
      verify(
        middles.map((m, i) => ({
          candidate: (i === 0 ? {} : { streams: i }) as Candidate,
          scores: moves(m),
        })),
      ),
    );
  const gain = judged(1, 0.8, 1.1);
  assert.equal([gain.kind, gain.chosen.name], ['gain', 'streams 1']);
  assert.match(gain.text, /^streams 1: × 0\.8\d\d of the default \(95 %: .*, p < 0\.001, n 30 against 30\)$/);
  const same = judged(1, 1.02, 1.05);
  assert.equal([same.kind, same.chosen.name], ['default-best', 'default']);
  const wide = verdictOf(
    verify([
      { candidate: {}, scores: moves(1, 1.5) },
      { candidate: { streams: 2 }, scores: moves(0.93, 1.5) },
    ]),
  );
  assert.is(wide.kind, 'undecided');
});

test('a trail is taken up where it was cut off, and belongs to one question', () => {
  const dir = mkdtempSync(join(tmpdir(), 'longhaul-trail-'));
  try {
    const trail = new Trail(dir, 'q');
    const one = { label: 'simulated', seed: 1, moves: 2, memoryBytes: 1, tookMs: 5, figures: null } as const;
    trail.add({ stage: 'coarse', candidate: { streams: 2 }, ...one });
    trail.add({ stage: 'verify 1', candidate: {}, ...one });
    appendFileSync(join(dir, 'trail.ndjson'), '{"stage":"coarse","cand');
    const again = new Trail(dir, 'q');
    assert.is(again.evaluations.length, 2);
    assert.is(again.find('coarse', { streams: 2 })!.tookMs, 5);
    assert.equal([again.spentMs(), again.spentMs('verify')], [10, 5]);
    assert.throws(
      () => new Trail(dir, 'another'),
      (e: Error) => /trail of another search/.test(e.message),
    );
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});

test.run();
