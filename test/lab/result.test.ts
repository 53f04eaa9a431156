import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { ConfigError } from '../../src/core/index.js';
import { jsonSchemas } from '../../src/lab/config/json-schemas.js';
import { PAUSE_PARTS, parseResult, pausePartsSum, RESULT_SCHEMA } from '../../src/lab/result.js';
import { sampleResult } from '../report/sample-result.js';
import { suite } from '../suite.js';

const test = suite('lab/result');

function lineOf(value: unknown): string {
  try {
    parseResult(value, 'r.json');
  } catch (e) {
    assert.instance(e, ConfigError);
    return (e as ConfigError).line();
  }
  throw new Error('was accepted');
}

test('a result survives its file', () => {
  const result = sampleResult(3);
  assert.equal(parseResult(JSON.parse(JSON.stringify(result)), 'r.json'), result);
});

test('fields that a later version adds are ignored, a missing one is named', () => {
  assert.equal(parseResult({ ...sampleResult(), moon: 'full' }, 'r.json'), sampleResult());
  const { seed: _, ...without } = sampleResult();
  assert.match(lineOf(without), /^LAB_RESULT_SHAPE: r\.json: seed: .*; the file was cut or changed/);
  const deep = JSON.parse(JSON.stringify(sampleResult(2)));
  deep.migrations[1].pauseParts.sendNs = 'soon';
  assert.match(lineOf(deep), 'r.json: migrations.1.pauseParts.sendNs: ');
});

test('another version or another file is refused as such', () => {
  assert.match(lineOf({ ...sampleResult(), schema: 'longhaul/result/2' }), 'says schema "longhaul/result/2"');
  for (const other of [{}, null, [], 5, 'text'])
    assert.match(lineOf(other), 'LAB_RESULT_VERSION: r.json says schema nothing');
});

test('the pause is the sum of its parts, in the order of the switchover', () => {
  assert.equal(PAUSE_PARTS, [
    'stopNs',
    'harvestNs',
    'saveStateNs',
    'recordCommitNs',
    'sendNs',
    'propagateNs',
    'applyNs',
    'verifyNs',
    'recordRunningNs',
    'startNs',
  ]);
  for (const m of sampleResult(20).migrations) assert.is(pausePartsSum(m.pauseParts!), m.pauseNs);
});

test('every figure names its unit or is a count, and is described', () => {
  const bare: string[] = [];
  const undescribed: string[] = [];
  const walk = (schema: Record<string, unknown>, path: string): void => {
    for (const option of (schema.anyOf as Record<string, unknown>[] | undefined) ?? []) walk(option, path);
    if (schema.items) walk(schema.items as Record<string, unknown>, `${path}[]`);
    for (const [key, child] of Object.entries(
      (schema.properties ?? {}) as Record<string, Record<string, unknown>>,
    )) {
      const options = (child.anyOf as Record<string, unknown>[] | undefined) ?? [child];
      if (options.some((o) => o.type === 'number')) {
        if (!/(Ns|Bps|PerS|Prob|skew)$/.test(key)) bare.push(`${path}.${key}`);
      }
      const described = [child, ...options].some((o) => o.description !== undefined);
      if (options.some((o) => o.type === 'number' || o.type === 'integer') && !described) {
        undescribed.push(`${path}.${key}`);
      }
      walk(child, `${path}.${key}`);
    }
  };
  walk(schemaOfResult(), '');
  assert.equal(bare, []);
  assert.equal(undescribed, []);
});

function schemaOfResult(): Record<string, unknown> {
  return jsonSchemas()['result.schema.json'] as Record<string, unknown>;
}

test('any value is a result or a ConfigError', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      lineOf(value);
      return !RESULT_SCHEMA.safeParse(value).success;
    }),
  );
});

test.run();
