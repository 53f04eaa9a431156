import * as assert from 'uvu/assert';
import { describeScenario, runScenario, type Scenario, scenarioOf, shrink } from '../../src/sim/index.js';
import { suite } from '../suite.js';

const test = suite('sim/swarm');
const WORLDS = 100;
const PAGES = 512;

test('a hundred random worlds and some: no rule is broken, and they are not all alike', () => {
  const outcomes = new Set<string>();
  for (let n = 0; n < WORLDS; n++) {
    const scenario = scenarioOf(`test-${n}`, PAGES);
    const end = runScenario(scenario);
    assert.is(
      end.violation,
      null,
      `${scenario.seed}: ${end.violation}\n${describeScenario(scenario).join('\n')}`,
    );
    for (const outcome of end.outcomes) outcomes.add(outcome);
  }
  for (const outcome of ['completed', 'aborted', 'died']) assert.ok(outcomes.has(outcome), outcome);
});

const PAGES_64_MIB = 16_384;

test('a fault of a phase that was entered late came after all was mended, and a doubt was never settled', () => {
  for (const seed of ['swarm-1788', 'swarm-4376'])
    assert.is(runScenario(scenarioOf(seed, PAGES_64_MIB)).violation, null, seed);
});

test('after a cut while pages were served, one segment came a second, and pages were still missing after minutes', () => {
  const { violation, virtualNs } = runScenario(scenarioOf('swarm-2089', PAGES_64_MIB));
  assert.is(violation, null);
  assert.ok(virtualNs < 10e9, `${virtualNs}`);
});

test('a world is the same each time it is run', () => {
  for (const seed of ['again-1', 'again-2', 'again-3']) {
    const scenario = scenarioOf(seed, PAGES);
    assert.equal(runScenario(scenario, true), runScenario(scenario, true));
  }
});

test('a world that breaks a rule is cut down to what breaks it', () => {
  const broken = (n: number): Scenario => ({
    ...scenarioOf(`hide-${n}`, PAGES),
    mode: 'pre-copy',
    hiddenPfn: 1,
    hasClients: true,
  });
  const isBroken = (s: Scenario) => runScenario(s).violation !== null;
  const scenario = Array.from({ length: 20 }, (_, n) => broken(n)).find(
    (s) => s.faults.length > 0 && isBroken(s),
  )!;
  const least = shrink(scenario, isBroken);
  assert.equal(least.faults, [], 'no fault is needed for a page that is hidden');
  assert.equal([least.pages, least.streams, least.again, least.lane], [256, 1, false, {}]);
  assert.ok(least.hasClients, 'who writes the page is');
  assert.match(runScenario(least).violation!, /^rule 4/);
});

test.run();
