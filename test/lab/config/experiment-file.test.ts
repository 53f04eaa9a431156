import { readdirSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { ConfigError } from '../../../src/core/index.js';
import {
  experimentFrom,
  type Override,
  parseExperiment,
  readSource,
} from '../../../src/lab/config/experiment-file.js';
import { suite } from '../../suite.js';

const test = suite('lab/config/experiment-file');

/** The runner's working directory is the project's folder. */
const EXAMPLES = 'examples';

function lineOf(body: () => unknown): string {
  try {
    body();
  } catch (e) {
    assert.instance(e, ConfigError);
    const line = (e as ConfigError).line();
    assert.not.match(line, '\n');
    return line;
  }
  throw new Error('was accepted');
}

const refusal = (text: string, overrides: Override[] = []) =>
  lineOf(() => parseExperiment({ name: 'x.yaml', text }, overrides));
const memory = (value: unknown): Override => ({ option: '--memory', path: ['guest', 'memory'], value });
const fiber = (key: string, value: unknown): Override => ({
  option: `--${key}`,
  path: ['fiber', key],
  value,
});

test('a refusal names file, line, column, key, what is allowed and the remedy', () => {
  assert.is(
    refusal('seed: 1\nguest:\n  memory: 256\n'),
    'CORE_UNIT_SYNTAX: x.yaml:3:11: guest.memory 256 is not a size in bytes (allowed: 1MiB..4GiB); ' +
      'write it like 256MiB; units: b, kb, mb, gb, kib, mib, gib',
  );
  assert.is(
    refusal('guest: {memory: 5GiB}'),
    'CORE_UNIT_RANGE: x.yaml:1:17: guest.memory 5GiB is outside 1MiB..4GiB; choose a value in 1MiB..4GiB',
  );
  assert.is(
    refusal('migration:\n  streams: 17\n'),
    'LAB_NUMBER: x.yaml:2:12: migration.streams 17 is not a whole number in 1..16; choose one in 1..16',
  );
  assert.is(
    refusal('attach: netnz\n'),
    'LAB_KEY_VALUE: x.yaml:1:9: attach "netnz" is not one of auto, netns, loopback, sim; did you mean netns?',
  );
});

test('an unknown key is pointed at, with the nearest known one', () => {
  assert.match(
    refusal('guest:\n  fill: mix\n  memroy: 1GiB\n'),
    /^LAB_KEY_UNKNOWN: x\.yaml:3:3: guest\.memroy is no key; allowed here: kind, .*memory, fill, .*; did you mean memory\?$/,
  );
  assert.match(
    refusal('fiber:\n  spans:\n    - distence: 1km\n'),
    'x.yaml:3:7: fiber.spans[0].distence is no key',
  );
  assert.match(refusal('fiber:\n  spans:\n    - distence: 1km\n'), 'did you mean distance?');
  assert.not.match(refusal('tset-hooks: {}\n'), 'did you mean test-hooks');
});

test('a wrong kind, a missing key and an empty list are named', () => {
  assert.match(refusal('guest: 5\n'), 'x.yaml:1:8: guest is 5, not keys with values');
  assert.match(refusal('clients: {site: a}\n'), 'clients is keys with values, not a list');
  assert.match(refusal('keep: maybe\n'), 'keep is "maybe", not true or false');
  assert.match(refusal('guest: {memory: [1]}\n'), 'guest.memory is a list, not text with a unit');
  assert.match(refusal('guest: {memory: }\n'), 'guest.memory is empty, not text with a unit');
  assert.match(refusal('clients:\n  - icmp: 1ms\n'), 'x.yaml:2:5: clients[0].site is missing; choose a or b');
  assert.match(refusal('background:\n  - direction: a-b\n'), 'background[0].rate is missing');
  assert.match(refusal('fiber: {spans: []}\n'), 'fiber.spans must have at least 1 entries');
  assert.match(refusal('- 1\n'), 'x.yaml:1:1: the file is a list, not keys with values');
});

test('what is not YAML is refused at its line', () => {
  assert.match(refusal('guest:\n  memory: "256MiB\n'), /^LAB_FILE_YAML: x\.yaml:\d+:\d+: not YAML: /);
  assert.match(refusal('seed: 1\nseed: 2\n'), 'x.yaml:2:1: not YAML: Map keys must be unique');
});

test('a transport that cannot be is refused, and says what to choose', () => {
  assert.match(
    refusal('attach: loopback\nmigration: {transport: tcp}\n'),
    /^LAB_CONFLICT: x\.yaml:2:24: migration\.transport tcp needs a kernel network.*; choose udp, or attach netns$/,
  );
  assert.match(
    refusal('migration: {transport: udp, congestion: fixed}\n'),
    /^LAB_CONFLICT: .* fixed sends at the rate it is given, and none is given; set migration\.rate$/,
  );
  assert.match(
    refusal('migration: {transport: tcp, congestion: fixed, rate: 1Gbit}\n'),
    /^LAB_CONFLICT: .* fixed is a model of the UDP transport/,
  );
});

test('keys that contradict each other are refused where they stand', () => {
  assert.match(
    refusal('fiber:\n  distance: 80km\n  one-way: 1ms\n'),
    /^LAB_CONFLICT: x\.yaml:3:12: fiber\.one-way says the delay a second time: .*; keep one of distance and one-way$/,
  );
  assert.match(
    refusal('fiber:\n  spans:\n    - b-a: {distance: 1km, one-way: 1ms}\n'),
    'x.yaml:3:37: fiber.spans[0].b-a.one-way',
  );
  assert.match(
    refusal('fiber: {profile: metro-80m}\n'),
    'x.yaml:1:18: fiber.profile "metro-80m" is no profile',
  );
  assert.match(refusal('fiber: {profile: metro-80m}\n'), 'did you mean metro-80km?');
  assert.match(refusal('fiber: {profile: toString}\n'), 'is no profile');
  assert.match(refusal('guest: {memory: 1000001B}\n'), 'CORE_UNIT_RANGE');
  assert.match(
    refusal('guest: {memory: 2000001B}\n'),
    'x.yaml:1:17: guest.memory 2000001 bytes are not whole pages',
  );
  assert.match(refusal('guest: {hot-set: 1GiB}\n'), 'guest.hot-set is larger than the guest');
  assert.match(refusal('test-hooks: {corrupt-page: 65536}\n'), 'choose one in 0..65535');
  assert.match(refusal('guest: {mac: "01:00:5e:00:00:01"}\n'), 'is not a unicast MAC address');
  assert.match(refusal('guest: {ip: 10.80.0.256}\n'), 'is not a unicast IPv4 address');
});

test('an option stands over the file and is refused under its own name', () => {
  const file = { name: 'x.yaml', text: 'guest:\n  memory: 1GiB\n  fill: zero\n' };
  const e = parseExperiment(file, [memory('64MiB')]);
  assert.is(e.guest.memoryBytes, 64 * 2 ** 20);
  assert.is(e.guest.fill, 'zero');
  assert.is(
    lineOf(() => parseExperiment(file, [memory('64 pages')])),
    'CORE_UNIT_SYNTAX: --memory "64 pages" is not a size in bytes (allowed: 1MiB..4GiB); ' +
      'write it like 256MiB; units: b, kb, mb, gb, kib, mib, gib',
  );
  assert.match(
    refusal('seed: 1\n', [fiber('profile', 'metro')]),
    /^LAB_PROFILE: --profile "metro" is no profile/,
  );
});

test('a fiber option holds for every span and direction', () => {
  const text =
    'fiber:\n  one-way: 9ms\n  spans:\n    - distance: 1km\n    - {loss: 1%, b-a: {one-way: 7ms, loss: 2%}}\n';
  const e = parseExperiment({ name: 'x.yaml', text }, [fiber('distance', '10km'), fiber('loss', '0.5%')]);
  for (const { aToB, bToA } of e.fiber.spans) {
    assert.equal([aToB.oneWayNs, bToA.oneWayNs], [50_000, 50_000]);
    assert.equal([aToB.lossProb, bToA.lossProb], [0.005, 0.005]);
  }
});

test('a profile option replaces the fiber of the file, whatever order it is typed in', () => {
  const text = 'fiber:\n  distance: 1km\n  spans: [{loss: 1%}, {loss: 1%}]\n';
  const options = [fiber('rate', '1Gbit'), fiber('profile', 'metro-200km')];
  for (const overrides of [options, [...options].reverse()]) {
    const e = parseExperiment({ name: 'x.yaml', text }, overrides);
    assert.equal(e, experimentFrom({ fiber: { profile: 'metro-200km', rate: '1Gbit' } }));
  }
});

test('two options for one delay contradict each other', () => {
  assert.match(
    refusal('', [fiber('distance', '1km'), fiber('one-way', '1ms')]),
    /^LAB_CONFLICT: --one-way says/,
  );
});

test('a refractive index without a distance, and an alias without its anchor', () => {
  assert.match(
    refusal('fiber: {one-way: 1ms, refractive-index: 1.467}\n'),
    /^FIBER_INDEX_UNUSED: x\.yaml:1:8: fiber cannot be: .*; give the distance/,
  );
  assert.match(refusal('guest: *nobody\n'), /^LAB_FILE_YAML: x\.yaml: not YAML: Unresolved alias; /);
  const glass = parseExperiment({
    name: 'x.yaml',
    text: 'fiber: {distance: 80km, refractive-index: 1.467}\n',
  });
  assert.is(glass.fiber.spans[0]!.aToB.oneWayNs, 391_471);
});

test('an option does not mend a file that is wrong in its place', () => {
  assert.match(refusal('guest: 5\n', [memory('64MiB')]), 'x.yaml:1:8: guest is 5');
});

test('an unreadable file is refused with its reason', () => {
  assert.match(
    lineOf(() => readSource('/nowhere/x.yaml')),
    /^LAB_FILE_READ: EXPERIMENT\.yaml \/nowhere\/x\.yaml cannot be read \(ENOENT\); give the path/,
  );
});

/** Examples of other kinds of file name another schema. */
const isExperiment = (file: string): boolean =>
  readFileSync(`${EXAMPLES}/${file}`, 'utf8').includes('schemas/experiment.schema.json');

test('the examples are experiments, and metro-80km.yaml is the default one, spelled out', () => {
  const files = readdirSync(EXAMPLES).filter((f) => f.endsWith('.yaml') && isExperiment(f));
  assert.ok(files.length >= 3);
  for (const file of files) parseExperiment(readSource(`${EXAMPLES}/${file}`));
  const spelled = parseExperiment(readSource(`${EXAMPLES}/metro-80km.yaml`));
  assert.equal(spelled, experimentFrom({ name: 'metro-80km' }));
});

test('metro-80km.yaml shows every key of its sections', () => {
  const text = readFileSync(`${EXAMPLES}/metro-80km.yaml`, 'utf8');
  const line = refusal('nonsense: 1\n');
  for (const key of /allowed here: (.*?);/.exec(line)![1]!.split(', ')) {
    assert.match(text, new RegExp(`^#? ?${key}:`, 'm'));
  }
});

test('any text is an experiment or one ConfigError', () => {
  const value = fc.oneof(fc.string(), fc.integer(), fc.constant(null), fc.constant([]), fc.constant({}));
  const key = fc.constantFrom(
    'guest',
    'fiber',
    'clients',
    'migration',
    'probe',
    'seed',
    'keep',
    '__proto__',
    'zz',
  );
  const inner = fc.constantFrom(
    'memory',
    'dirty',
    'spans',
    'distance',
    'count',
    'a-b',
    'constructor',
    'repeat',
  );
  const tree = fc.dictionary(key, fc.oneof(value, fc.dictionary(inner, value)));
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        tree.map((t) => JSON.stringify(t)),
      ),
      (text) => {
        try {
          parseExperiment({ name: 'x.yaml', text });
        } catch (e) {
          assert.instance(e, ConfigError);
          assert.not.match((e as ConfigError).line(), '\n');
        }
      },
    ),
    { numRuns: 500 },
  );
});

test.run();
