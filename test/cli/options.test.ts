import { Command } from 'commander';
import * as assert from 'uvu/assert';
import { addKeyOptions, overridesOf } from '../../src/cli/options.js';
import { experimentFrom, parseExperiment } from '../../src/lab/config/experiment-file.js';
import { suite } from '../suite.js';

const test = suite('cli/options');

function typed(...argv: string[]): Record<string, unknown> {
  const command = addKeyOptions(new Command()).exitOverride();
  command.parse(argv, { from: 'user' });
  return command.opts();
}

test('every option is a key of the experiment', () => {
  const argv = [
    ['--profile', 'metro-200km'],
    ['--distance', '120km'],
    ['--rate', '1Gbit'],
    ['--loss', '0.01%'],
    ['--queue', '1MiB'],
    ['--attach', 'loopback'],
    ['--memory', '64MiB'],
    ['--fill', 'zero'],
    ['--dirty', 'zipf:10MB/s'],
    ['--hot-set', '1MiB'],
    ['--streams', '4'],
    ['--pause-target', '5ms'],
    ['--max-rounds', '9'],
    ['--qos', 'none'],
    ['--repeat', '20'],
    ['--seed', '7'],
    ['--spin', 'never'],
    ['--keep'],
    ['--out', 'DIR'],
    ['--test-corrupt-page', '5'],
  ].flat();
  const e = parseExperiment(null, overridesOf(typed(...argv)));
  assert.equal(
    e,
    experimentFrom({
      fiber: { profile: 'metro-200km', distance: '120km', rate: '1Gbit', loss: '0.01%', queue: '1MiB' },
      attach: 'loopback',
      guest: { memory: '64MiB', fill: 'zero', dirty: 'zipf:10MB/s', 'hot-set': '1MiB' },
      migration: { streams: 4, 'pause-target': '5ms', 'max-rounds': 9, qos: 'none', repeat: 20 },
      seed: 7,
      spin: 'never',
      keep: true,
      out: 'DIR',
      'test-hooks': { 'corrupt-page': 5 },
    }),
  );
  assert.is(e.fiber.spans[0]!.aToB.oneWayNs, 600_000);
  const oneWay = parseExperiment(null, overridesOf(typed('--one-way', '2ms')));
  assert.is(oneWay.fiber.spans[0]!.bToA.oneWayNs, 2_000_000);
});

test('what was not typed overrides nothing', () => {
  assert.equal(overridesOf(typed()), []);
  assert.equal(overridesOf(typed('--seed', '0')), [{ option: '--seed', path: ['seed'], value: '0' }]);
});

test('help names the options but not the test hook', () => {
  const help = addKeyOptions(new Command()).helpInformation();
  assert.match(help, '--pause-target');
  assert.not.match(help, 'test-corrupt-page');
});

test.run();
