/** The fiber's keys: what they become, and where they are refused. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { ConfigError } from '../../../src/core/index.js';
import { describeFiber, resolveFiber } from '../../../src/fiber/index.js';
import { EXPERIMENT_SCHEMA } from '../../../src/lab/config/experiment.js';
import { experimentFrom, parseExperiment, readSource } from '../../../src/lab/config/experiment-file.js';
import { laneChangeFrom, readProfile } from '../../../src/lab/config/fiber-keys.js';
import { fiberSettingsOf, fiberTimelineOf } from '../../../src/lab/config/resolve-experiment.js';
import { suite } from '../../suite.js';

const test = suite('lab/config/fiber-keys');

const laneOf = (fiber: string) =>
  fiberSettingsOf(parseExperiment({ name: 'x.yaml', text: `fiber: {${fiber}}` })).spans[0]!.aToB;

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

const refusal = (fiber: string) =>
  lineOf(() => parseExperiment({ name: 'x.yaml', text: `fiber:\n  ${fiber}\n` }));

/** A folder with these files, gone when the body is through. */
function inFolder(files: Readonly<Record<string, string>>, body: (folder: string) => void): void {
  const folder = mkdtempSync(join(tmpdir(), 'fiber-keys-'));
  try {
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
    body(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test('loss by chance and by model', () => {
  assert.is(laneOf('loss: 1%').lossProb, 0.01);
  assert.is(laneOf('loss: {model: bernoulli, p: 0.02}').lossProb, 0.02);
  const modelOf = (loss: string) => laneOf(`loss: ${loss}`).lossModel;
  assert.equal(modelOf('{model: gilbert-elliott, p: 0.1%, r: 20%}'), {
    model: 'gilbert-elliott',
    p: 0.001,
    r: 0.2,
    h: 0,
    k: 1,
  });
  assert.equal(modelOf('{model: 4-state, p13: 25%}'), {
    model: '4-state',
    p13: 0.25,
    p31: 0.75,
    p32: 0,
    p23: 1,
    p14: 0,
  });
  assert.equal(modelOf('{model: periodic, every: 1000}'), { model: 'periodic', every: 1000 });
});

test('jitter, queue and the rest', () => {
  assert.equal(laneOf('jitter: 50us').jitter, { model: 'uniform', halfWidthNs: 50_000 });
  assert.is(laneOf('jitter: none').jitter, null);
  assert.equal(laneOf('jitter: {model: normal, sigma: 50us}').jitter, { model: 'normal', sigmaNs: 50_000 });
  assert.equal(laneOf('jitter: {model: pareto, scale: 1ms}').jitter, {
    model: 'pareto',
    scaleNs: 1e6,
    shape: 3,
  });
  assert.equal(laneOf('jitter: {model: table, scale: 1us, quantiles: [-1, 0, 2]}').jitter, {
    model: 'table',
    scaleNs: 1_000,
    quantiles: [-1, 0, 2],
  });
  assert.equal(laneOf('queue-discipline: none').queueDiscipline, { kind: 'none' });
  assert.equal(laneOf('queue-discipline: codel').queueDiscipline, {
    kind: 'codel',
    targetNs: 5e6,
    intervalNs: 1e8,
  });
  assert.equal(laneOf('queue-discipline: {codel: {target: 1ms}}').queueDiscipline, {
    kind: 'codel',
    targetNs: 1e6,
    intervalNs: 1e8,
  });
  assert.is(laneOf('queue-frames: 100').queueFrames, 100);
  const { reorder, duplicateProb, corruptProb, link } = laneOf(
    'reorder: true, duplicate: 1%, corrupt: 2%, link: down',
  );
  assert.equal([reorder, duplicateProb, corruptProb, link], [true, 0.01, 0.02, 'down']);
});

test('scripted drops', () => {
  assert.equal(
    laneOf('drops: [{nth: 3, match: {ip-protocol: tcp, port: 8000, class: guest}}, {at: 1s, for: 2s}]').drops,
    [
      {
        fromNs: 0,
        untilNs: null,
        match: { trafficClass: 'guest', ipProtocol: 6, port: 8000 },
        nth: 3,
        count: 1,
      },
      { fromNs: 1e9, untilNs: 3e9, match: null, nth: 1, count: null },
    ],
  );
  assert.equal(
    laneOf('drops: [{match: {ethertype: 0x88cc, source-mac: "02:4C:48:00:00:01"}, count: all}]').drops[0],
    {
      fromNs: 0,
      untilNs: null,
      match: { etherType: 0x88cc, sourceMac: '02:4c:48:00:00:01' },
      nth: 1,
      count: null,
    },
  );
});

test('a time line is in order and survives the result file', () => {
  const e = experimentFrom({
    fiber: {
      'time-line': [
        { at: '12s', direction: 'a-b', set: { loss: '2%' } },
        { at: '1s', set: { rate: 'unlimited', 'queue-frames': 'unlimited', distance: '100km' } },
      ],
      'time-line-repeat': '20s',
    },
  });
  assert.equal(EXPERIMENT_SCHEMA.parse(JSON.parse(JSON.stringify(e))), e);
  assert.equal(fiberTimelineOf(e), [
    {
      entries: [
        {
          atNs: 1e9,
          direction: 'both',
          set: { rateBps: Infinity, queueFrames: Infinity, oneWayNs: 500_000 },
        },
        { atNs: 12e9, direction: 'a-b', set: { lossProb: 0.02 } },
      ],
      repeatNs: 20e9,
    },
  ]);
});

test('a result written before these keys is read as a fiber without them', () => {
  const e = experimentFrom({});
  const { oneWayNs, rateBps, queueBytes, lossProb } = e.fiber.spans[0]!.aToB;
  const lane = { oneWayNs, rateBps, queueBytes, lossProb };
  const old = { ...e, fiber: { profile: e.fiber.profile, spans: [{ aToB: lane, bToA: lane }] } };
  assert.equal(EXPERIMENT_SCHEMA.parse(old), e);
});

test('what is wrong is named with its line and key', () => {
  for (const [fiber, line] of [
    [
      'loss: {model: gilbert-eliot}',
      /^LAB_KEY_VALUE: x\.yaml:2:17: fiber\.loss\.model "gilbert-eliot" is not one of bernoulli, gilbert-elliott, 4-state, periodic; did you mean gilbert-elliott\?$/,
    ],
    ['loss: {p: 1%}', 'LAB_KEY_MISSING: x.yaml:2:9: fiber.loss.model is missing; choose one of bernoulli'],
    ['loss: {model: gilbert-elliott, p: 1%}', 'LAB_KEY_MISSING: x.yaml:2:9: fiber.loss.r is missing'],
    ['loss: {model: gilbert-elliott, p: 1%, r: 200%}', 'x.yaml:2:44: fiber.loss.r 200% is outside 0..1'],
    [
      'loss: {model: periodic, evry: 3}',
      /fiber\.loss\.evry is no key; allowed here: model, every; did you mean every\?$/,
    ],
    [
      'loss: {model: 4-state, p13: 70%, p14: 40%}',
      'FIBER_LOSS_RANGE: x.yaml:2:9: fiber.loss cannot be: 4-state loss p13 and p14 add up',
    ],
    ['loss: [1%]', 'fiber.loss is a list, not text with a unit or keys with values'],
    ['loss: 1.5', 'CORE_UNIT_RANGE: x.yaml:2:9: fiber.loss 1.5 is outside 0..1'],
    ['jitter: 11s', 'fiber.jitter 11s is outside 0s..10s or none'],
    ['jitter: {model: table, scale: 1us}', 'fiber.jitter needs quantiles or a file of them'],
    [
      'queue-discipline: codl',
      'fiber.queue-discipline "codl" is not one of drop-tail, codel, none; did you mean codel?',
    ],
    [
      'queue-discipline: {codel: {taget: 1ms}}',
      'fiber.queue-discipline.codel.taget is no key; allowed here: target, interval; did you mean target?',
    ],
    ['queue-discipline: 3', 'fiber.queue-discipline is 3, not drop-tail, codel, none or keys with values'],
    [
      'drops: [{match: {prt: 1}}]',
      /fiber\.drops\[0\]\.match\.prt is no key; allowed here: .*; did you mean port\?$/,
    ],
    ['drops: [{nth: 0}]', 'fiber.drops[0].nth 0 is not a whole number in 1..'],
    ['time-line: [{at: 1s, set: {lss: 1%}}]', /x\.yaml:2:30: fiber\.time-line\[0\]\.set\.lss is no key/],
    [
      'time-line: [{at: 1s, span: 1, set: {loss: 1%}}]',
      'FIBER_TIMELINE: x.yaml:2:15: fiber.time-line[0] cannot be',
    ],
    ['time-line: [{set: {loss: 1%}}]', 'fiber.time-line[0].at is missing'],
    [
      'trace: {file: nowhere.csv}',
      'LAB_FILE_READ: x.yaml:2:17: fiber.trace.file "nowhere.csv" cannot be read (ENOENT)',
    ],
    ['profile: ./nowhere.yaml', 'LAB_FILE_READ: x.yaml:2:12: fiber.profile "./nowhere.yaml" cannot be read'],
    ['spans: [{jitter: {model: normal}}]', 'fiber.spans[0].jitter.sigma is missing'],
    ['link: cut', 'fiber.link "cut" is not one of up, down'],
  ] as const) {
    assert.match(refusal(fiber), line);
  }
});

test('a change from text, as the control socket gets it', () => {
  assert.equal(laneChangeFrom({ loss: '1%', 'one-way': '5ms' }), { oneWayNs: 5_000_000, lossProb: 0.01 });
  assert.equal(laneChangeFrom({ loss: '{model: periodic, every: 7}', reorder: 'true', link: 'down' }), {
    lossModel: { model: 'periodic', every: 7 },
    reorder: true,
    link: 'down',
  });
  assert.equal(laneChangeFrom({ distance: '100km', 'refractive-index': '1.467' }), { oneWayNs: 489_339 });
  assert.is(
    lineOf(() => laneChangeFrom({ loss: '150%' })),
    'CORE_UNIT_RANGE: --loss 150% is outside 0..1 (0%..100%); choose one in 0%..100%',
  );
  assert.match(
    lineOf(() => laneChangeFrom({ los: '1%' })),
    'LAB_KEY_UNKNOWN: --los is no key; allowed here: distance',
  );
  assert.match(
    lineOf(() => laneChangeFrom({ loss: '{model: periodic}' })),
    '--loss.every is missing',
  );
  assert.match(
    lineOf(() => laneChangeFrom({ loss: '{model' })),
    '--loss "{model" is not a probability',
  );
  assert.match(
    lineOf(() => laneChangeFrom({ 'refractive-index': '1.4' })),
    'FIBER_INDEX_UNUSED',
  );
});

const PROFILE = `name: line
description: ours
source: measured
profile: wan-50ms
rate: 2Gbit
b-a: {loss: 1%}
jitter: {model: table, scale: 8us, file: j.dist}
time-line: [{at: 1s, set: {link: down}}]
trace: {file: t.csv, direction: a-b, at-end: loop}
`;
const FILES = {
  'line.yaml': PROFILE,
  'j.dist': '# two\n-8192 8192\n',
  't.csv': 'time[s],one-way[ms]\n0,25\n5,30\n',
  'e.yaml': 'fiber:\n  profile: ./line.yaml\n  rate: 3Gbit\n  time-line: [{at: 2s, set: {link: up}}]\n',
};

test('a profile in a file of its own, with files beside it', () => {
  inFolder(FILES, (folder) => {
    const { profile, description, source, timeline } = readProfile(join(folder, 'line.yaml'));
    assert.equal([profile.name, description, source, timeline.length], ['line', 'ours', 'measured', 2]);
    assert.equal(describeFiber(resolveFiber({ profile })), [
      'a-b: 25.0 ms one way, jitter by 2 quantiles × 8.00 µs, 2.00 Gbit/s, queue 8.00 MiB, no loss',
      'b-a: 25.0 ms one way, jitter by 2 quantiles × 8.00 µs, 2.00 Gbit/s, queue 8.00 MiB, loss 1%',
    ]);
  });
});

test('an experiment names a profile relative to itself and stands over it; so does an option, relative to here', () => {
  inFolder(FILES, (folder) => {
    const e = parseExperiment(readSource(join(folder, 'e.yaml')));
    assert.is(e.fiber.profile, 'line');
    assert.is(e.fiber.spans[0]!.aToB.rateBps, 3e9);
    assert.is(e.fiber.spans[0]!.bToA.lossProb, 0.01);
    assert.equal(
      e.fiber.timeline.map((track) => [track.entries.length, track.repeatNs]),
      [
        [1, null],
        [2, 10e9],
        [1, null],
      ],
    );
    const path = join(folder, 'line.yaml');
    const byOption = parseExperiment(null, [
      { option: '--profile', path: ['fiber', 'profile'], value: path },
    ]);
    assert.is(byOption.fiber.spans[0]!.aToB.rateBps, 2e9);
  });
});

test('a fault in a profile file is named with its own line', () => {
  inFolder({ ...FILES, 'line.yaml': 'rate: 2Gbit\nlos: 1%\n', 't.csv': 'time\n' }, (folder) => {
    const path = join(folder, 'e.yaml');
    assert.match(
      lineOf(() => parseExperiment(readSource(path))),
      /^LAB_KEY_UNKNOWN: \.\/line\.yaml:2:1: los is no key; .*did you mean loss\?$/,
    );
  });
  inFolder({ ...FILES, 't.csv': 'time[s],rate\n0,5bit\n' }, (folder) => {
    assert.match(
      lineOf(() => readProfile(join(folder, 'line.yaml'))),
      /^FIBER_RATE_RANGE: .*line\.yaml:9:15: trace\.file cannot be: t\.csv:2: rate 5 bit\/s is outside/,
    );
  });
  inFolder({ 'loop.yaml': 'profile: ./loop.yaml\n' }, (folder) => {
    assert.match(
      lineOf(() => readProfile(join(folder, 'loop.yaml'))),
      'profile "./loop.yaml" is not one of campus-10km',
    );
  });
  inFolder(
    { 'route.yaml': 'spans: [{}, {}]\n', 'e.yaml': 'fiber: {profile: route.yaml, spans: [{}]}\n' },
    (folder) => {
      assert.match(
        lineOf(() => parseExperiment(readSource(join(folder, 'e.yaml')))),
        'fiber.spans are given, and profile route.yaml has spans of its own',
      );
    },
  );
});

test('the example of a profile shows every key of a lane or names it', () => {
  const { profile, timeline } = readProfile('examples/leased-line.yaml');
  assert.is(resolveFiber({ profile }).spans.length, 1);
  assert.is(timeline.length, 2);
});

test.run();
