import * as assert from 'uvu/assert';
import { profilesJson, profilesText } from '../../src/cli/profiles.js';
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

test.run();
