import * as assert from 'uvu/assert';
import { profileFileJson, profileFileText, profilesJson, profilesText } from '../../src/cli/profiles.js';
import { PROFILES } from '../../src/fiber/index.js';
import { suite } from '../suite.js';

const test = suite('cli/profiles');

test('every profile is listed with its source, within 100 columns', () => {
  const text = profilesText();
  for (const name of Object.keys(PROFILES)) assert.match(text, new RegExp(`^${name}`, 'm'));
  assert.is(text.match(/source: /g)!.length, Object.keys(PROFILES).length);
  for (const line of text.split('\n')) assert.ok(line.length <= 100, line);
});

test('as JSON it can be read back', () => {
  const read = JSON.parse(JSON.stringify(profilesJson())) as { name: string; oneWayNs: number }[];
  assert.is(read.find((p) => p.name === 'metro-80km')!.oneWayNs, 400_000);
});

test('a file of the user is shown as it is understood, and as JSON', () => {
  const text = profileFileText('examples/leased-line.yaml');
  assert.match(text, /^leased-line\n {2}a-b: 1\.30 ms one way, jitter σ 20\.0 µs, 1\.00 Gbit\/s/);
  assert.match(text, /^ {2}source: /m);
  for (const line of text.split('\n')) assert.ok(line.length <= 100, line);
  const read = JSON.parse(JSON.stringify(profileFileJson('examples/leased-line.yaml')));
  assert.is(read.name, 'leased-line');
  assert.is(read.spans[0].bToA.rateBps, 500e6);
  assert.is(read.timeline.length, 2);
});

test.run();
