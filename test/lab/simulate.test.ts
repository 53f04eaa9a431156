import * as assert from 'uvu/assert';
import { experimentFrom } from '../../src/lab/config/experiment-file.js';
import { parseResult } from '../../src/lab/result.js';
import { runExperiment } from '../../src/lab/run.js';
import { suite } from '../suite.js';

const test = suite('lab/simulate');

const simulate = (over: object = {}) =>
  runExperiment(experimentFrom({ attach: 'sim', seed: 7, guest: { memory: '16MiB' }, ...over }), {
    onEvent: () => {},
    signal: new AbortController().signal,
  });

test('a run in virtual time writes the same result file, labelled simulated, with the digest of its trace', async () => {
  const result = await simulate({ migration: { repeat: 2 } });
  assert.equal(parseResult(JSON.parse(JSON.stringify(result)), 'result'), JSON.parse(JSON.stringify(result)));
  assert.equal([result.label, result.attach, result.lateness], ['simulated', 'sim', null]);
  assert.match(result.traceHash!, /^[0-9a-f]{16}$/);
  assert.ok(result.fabric!.closes);
  assert.is(result.rtt!.p50Ns > 800_000 && result.rtt!.p50Ns < 850_000, true);
  assert.equal(
    result.migrations.map((m) => `${m.from}${m.to} ${m.outcome} ${m.memoryIdentical}`),
    ['ab completed true', 'ba completed true'],
  );
  for (const m of result.migrations) {
    const parts = Object.values(m.pauseParts!).reduce((sum, ns) => sum + ns, 0);
    assert.is(parts, m.pauseNs);
    for (const c of m.clients) assert.equal([c.sent, c.wrong, c.duplicated], [c.answered, 0, 0]);
  }
});

test('the same seed gives the same digest and the same figures', async () => {
  const [one, two, other] = [await simulate(), await simulate(), await simulate({ seed: 8 })];
  assert.is(one.traceHash, two.traceHash);
  assert.equal(one.migrations, two.migrations);
  assert.is.not(other.traceHash, one.traceHash);
});

test('a page that is hidden from every harvest makes the proof fail', async () => {
  const result = await simulate({ migration: { mode: 'precopy' }, 'test-hooks': { 'hide-page': 1 } });
  assert.is(result.migrations[0]!.memoryIdentical, false);
});

test('a post-copy move had a throughput above the rate of its link', async () => {
  const { migrations } = await simulate({ migration: { mode: 'postcopy' } });
  const { throughputBps, postcopy } = migrations[0]!;
  assert.ok(postcopy !== null && throughputBps > 1e9 && throughputBps <= 10e9, `${throughputBps}`);
});

test('clients keep the course of their round trips, by the instant of the request', async () => {
  const { migrations } = await simulate();
  for (const c of migrations[0]!.clients) {
    const { startNs, binNs, count, maxNs } = c.rttCourse!;
    assert.is(
      count.reduce((sum, n) => sum + n, 0),
      c.answered,
    );
    const endNs = startNs + count.length * binNs;
    assert.ok(startNs < migrations[0]!.startNs && endNs > migrations[0]!.startNs, `${startNs} to ${endNs}`);
    assert.ok(Math.max(...maxNs) >= c.rttAfterP50Ns!);
  }
});

test('background traffic fills its share of the fiber', async () => {
  const plain = await simulate({ migration: { repeat: 0 } });
  const loaded = await simulate({
    migration: { repeat: 0 },
    background: [{ direction: 'a-b', rate: '1Gbit' }],
  });
  const extra = loaded.fabric!.fiber.aToB.bytesOut - plain.fabric!.fiber.aToB.bytesOut;
  const rateBps = (8e9 * extra) / loaded.durationNs;
  assert.ok(Math.abs(rateBps / 1e9 - 1) < 0.02, `${rateBps}`);
});

test.run();
