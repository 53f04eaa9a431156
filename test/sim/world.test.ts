import * as assert from 'uvu/assert';
import { HOST_COSTS, outcomeOf } from '../../src/sim/index.js';
import type { MigrationMode } from '../../src/vmotion-protocol/index.js';
import { suite } from '../suite.js';
import { moveIn, ORDERS, testWorld } from './worlds.js';

const test = suite('sim/world');
const US = 1000;
const MODES: readonly MigrationMode[] = ['pre-copy', 'post-copy', 'hybrid'];

test('the guest moves in every mode: no rule broken, memory proved page by page, every session kept', () => {
  for (const mode of MODES) {
    const world = testWorld();
    const { source } = moveIn(world, { mode });
    assert.is(world.verdict()?.message, undefined, mode);
    assert.is(outcomeOf(source), 'completed');
    assert.is(source.hashesCompared, 1024);
    assert.is(source.hashesDiffering, 0);
    for (const { service, echo, sentNs } of world.clients) {
      assert.ok(sentNs.length > 50, 'requests were made');
      for (const book of [service!, echo!]) {
        const { sent, answered, wrong, duplicated } = book.stats();
        assert.equal([answered, wrong, duplicated], [sent, 0, 0], mode);
      }
    }
  }
});

test('the pause of a guest that writes nothing, in exact nanoseconds', () => {
  const world = testWorld({ pagesPerS: 0, clients: [] });
  const { source } = moveIn(world, { mode: 'pre-copy', streams: 1 });
  const c = HOST_COSTS;
  const pauseNs = source.destination!.startedNs - source.times.pauseCalledNs;
  // Harvest and save go side by side; FINAL is one short packet: its wire time comes on top of 80 km.
  const stepsNs =
    c.parkNs +
    Math.max(c.harvestNs, c.saveStateNs) +
    c.finalNs +
    c.recordNs +
    c.messageNs +
    c.verifyNs +
    c.loadStateNs +
    c.recordNs +
    c.startNs;
  const finalNs = pauseNs - stepsNs - 400 * US;
  assert.ok(finalNs > 0 && finalNs < 1 * US, `FINAL takes ${finalNs} ns of wire`);
});

test('the same seed gives the same world, event for event; another seed another', () => {
  const run = (seed: string) => {
    const world = testWorld({ seed, lane: { lossProb: 0.01, duplicateProb: 0.01, corruptProb: 0.001 } });
    moveIn(world);
    return { digest: world.trace.digest(), lines: world.trace.lines };
  };
  const first = run('one');
  assert.equal(run('one'), first);
  assert.is.not(run('two').digest, first.digest);
});

test('a draw more in one component leaves the streams of all others as they were', () => {
  const run = (lossProb: number) => {
    const world = testWorld({ lane: { lossProb } });
    const booted = world.hosts.a.guest.memory.lo.slice();
    world.live(50_000 * US);
    world.hosts.a.guest.catchUp(world.time.nowNs);
    const { lo } = world.hosts.a.guest.memory;
    const id = world.migrate(
      'a',
      { mode: 'pre-copy', streams: 1, pauseTargetNs: 1, maxRounds: 1, limitNs: 1e9, slowGuest: false },
      1,
    ).source.migrationId;
    return {
      booted,
      worked: lo.slice(),
      id,
      stores: [world.hosts.a.records.storeId, world.hosts.b.records.storeId],
    };
  };
  // With loss the fiber draws for every packet, and without it for none.
  assert.equal(run(0.02), run(0));
});

test('a page that the dirty log hides is found before the guest starts on it', () => {
  // In pre-copy the digest of what was sent is right and the page is stale: only the judge, who knows the truth, can tell.
  const world = testWorld({ driverFaults: { hiddenPfn: 1 } });
  moveIn(world, { mode: 'pre-copy' });
  assert.match(world.verdict()!.message, /^rule 4: the guest starts with a wrong page 1$/);
});

test('a source that does not forward what comes in the pause: the judge misses the requests that it dropped', () => {
  const clients = [{ site: 'a' as const, icmpIntervalNs: null, serviceIntervalNs: 100 * US }];
  const deaf = testWorld({ clients, driverFaults: { isDeaf: true } });
  moveIn(deaf);
  assert.match(deaf.verdict()!.message, /^rule 5: request \d+ of the client at a never reached the guest$/);
  const sound = testWorld({ clients });
  moveIn(sound);
  assert.is(sound.verdict(), null);
});

test('a page that changed on its way past all checksums: NACK, and the guest goes on where it was', () => {
  const world = testWorld({ driverFaults: { corruptPfn: 900 }, pagesPerS: 0 });
  const { source } = moveIn(world, { mode: 'pre-copy' });
  assert.is(world.verdict(), null);
  assert.is(outcomeOf(source), 'aborted');
  assert.is(source.ends[0]!.code, 'VMOTION_VERIFY_FAILED');
  assert.ok(world.hosts.a.guest.isRunning);
  assert.equal(
    world.hosts.b.records.all.map((r) => r.kind),
    ['NEVER'],
  );
});

test('a destination that dies between COMMIT and its decision: the doubt is settled by its records, with the guest at the source', () => {
  const world = testWorld({
    faults: [
      { when: 'source:committed', afterNs: 0, what: { do: 'crash', host: 'b' } },
      { when: 'source:committed', afterNs: 600_000 * US, what: { do: 'restart', host: 'b' } },
    ],
  });
  const { source } = moveIn(world);
  assert.is(world.verdict(), null);
  assert.equal(
    source.ends.map((e) => e.outcome),
    ['in-doubt', 'aborted'],
  );
  assert.ok(world.hosts.a.guest.isRunning);
});

test('a destination that died for good after COMMIT: the source waits for an operator, and resumes by that word alone', () => {
  const world = testWorld({
    faults: [{ when: 'source:committed', afterNs: 0, what: { do: 'crash', host: 'b' } }],
  });
  world.startClients();
  world.live(20_000 * US);
  const { source } = world.migrate('a', ORDERS, 60e9);
  world.heal('b');
  world.live(5e9);
  assert.is(source.phase, 'in-doubt');
  assert.not.ok(world.hosts.a.guest.isRunning, 'nobody runs it meanwhile');
  world.sayOfDoubt();
  world.stopClients();
  world.settle(60e9);
  assert.is(world.verdict(), null);
  assert.ok(world.hosts.a.guest.isRunning);
  assert.equal(
    source.ends.map((e) => e.outcome),
    ['in-doubt', 'aborted'],
  );
});

test('a fiber cut while pages are missing: the guest waits, the line is opened again, and nothing is lost', () => {
  const world = testWorld({
    pages: 4096,
    faults: [
      {
        when: 'destination:filling',
        afterNs: 100 * US,
        what: { do: 'link', direction: 'both', state: 'down' },
      },
      {
        when: 'destination:filling',
        afterNs: 700_000 * US,
        what: { do: 'link', direction: 'both', state: 'up' },
      },
    ],
  });
  const { source } = moveIn(world, { mode: 'post-copy' });
  assert.is(world.verdict(), null);
  assert.is(outcomeOf(source), 'completed');
  assert.ok(
    world.trace.lines.some((l) => l.includes('sends lacks')),
    'asked what was lacking',
  );
  assert.ok(world.hosts.b.guest.isRunning);
});

test('there and back: the second move of the same guest has its own name and a higher epoch', () => {
  const world = testWorld();
  moveIn(world);
  world.startClients();
  world.migrate(
    'b',
    { mode: 'hybrid', streams: 1, pauseTargetNs: 1e6, maxRounds: 10, limitNs: 20e9, slowGuest: false },
    60e9,
  );
  world.live(100_000 * US);
  world.stopClients();
  world.live(50_000 * US);
  world.settle(60e9);
  assert.is(world.verdict(), null);
  assert.ok(world.hosts.a.guest.isRunning);
  assert.equal(
    world.hosts.a.records.all.map((r) => `${r.kind} ${r.epoch}`),
    ['COMMIT 1', 'ENDED 1', 'RUNNING 2'],
  );
});

test.run();
